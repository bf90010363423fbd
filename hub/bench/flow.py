"""`hub bench flow`: signed webhooks through a real hub process to a receiver, beside a bare loop without the hub.

Everything runs on this machine over loopback: the hub as its users run it (`hub run`), a receiver in a process of its
own, the load in this one. The bare loop sends the same number of documents of the same size to the same receiver with
the same HTTP client. Every id is checked at the end.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from canonical.errors import ConfigError
from hub import clock
from hub.bench.baselines import IN_FLIGHT, SECRET, bare
from hub.processes import free_port, running, stop, wait_until_told
from hub.store import Store, views

CONNECTIONS = 16
DRAIN_WITHIN = 120.0
ANSWER_WITHIN = 60.0
HALF_LOAD_FOR = 10.0
"""Seconds of webhooks at half the rate that it took at full load."""

CONFIG = """
[hub]
store = "{store}"
listen = "127.0.0.1:{port}"
backlog = {backlog}

[shops.bench]
channel = "generic"
signature = {{ scheme = "hmac-sha256-hex", header = "x-signature", secret = "{secret}" }}

{destinations}

[[routes]]
on = "order"
to = {names}
"""


@dataclass(slots=True)
class Figures:
    """What a run measured. Rates are per second of wall clock, latency is accepted to delivered."""

    orders: int
    destinations: int
    accepted_per_s: float
    delivered_per_s: float
    bare_per_s: float
    ratio_to_bare: float
    empty_per_s: float
    ratio_to_empty: float
    ack_p50_ms: float
    ack_p99_ms: float
    p50_ms: float
    p99_ms: float
    half_load_p50_ms: float
    half_load_p99_ms: float
    cpu_s: float
    cpu_ms_per_order: float
    bare_cpu_ms: float
    rss_mib: float
    lost: int
    duplicates: int
    out_of_order: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, rounded to what a noisy machine can tell."""
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in asdict(self).items()}


def flow(orders: int, store: str, destinations: int, workers: int, tell: Callable[[str], None]) -> Figures:
    """Run the benchmark. `store` is a database URL, or empty for a fresh SQLite file. `workers`: on PostgreSQL, run
    one `hub serve` and so many `hub work`; 0 is one `hub run`."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name:
        folder = Path(name)
        url = store or f"sqlite:///{folder}/bench.db"
        _refuse_used(url)
        receiver_port, hub_port = free_port(), free_port()
        config = write_config(folder, url, hub_port, receiver_port, destinations)
        receiver = [sys.executable, "-m", "hub.bench.flow", str(receiver_port)]
        with running(receiver, folder / "receiver.log", receiver_port):
            tell(f"bare loop: {orders} documents, {IN_FLIGHT} in flight")
            alone = asyncio.run(bare([order(n) for n in range(orders)], receiver_port))
            tell("empty hub: only proves, keeps, sends and ticks off")
            empty = _empty(folder, orders, tell)
            tell(f"hub: {orders} signed webhooks over {CONNECTIONS} connections")
            with _hub(config, folder, hub_port, workers) as pids:
                before = sum(map(_cpu_seconds, pids))
                loaded = asyncio.run(load(range(orders), destinations, hub_port, receiver_port, tell))
                cpu = sum(map(_cpu_seconds, pids)) - before
                peak = sum(map(peak_mib, pids))
                rate = orders / loaded["elapsed"] / 2
                tell(f"half load: {rate:.0f} webhooks a second")
                more = range(orders, orders + min(orders, int(rate * HALF_LOAD_FOR)))
                asyncio.run(load(more, destinations, hub_port, receiver_port, tell, rate=rate))
        latency = _latency(url, folder)
        whole, half = sorted(latency[: orders * destinations]), sorted(latency[orders * destinations :])
        return _figures(orders, destinations, alone, empty, loaded, whole, half, cpu, peak)


def _empty(folder: Path, orders: int, tell: Callable[[str], None]) -> float:
    """Orders a second through a hub that does nothing but what none can leave out."""
    port, to = free_port(), free_port()
    receiver = [sys.executable, "-m", "hub.bench.flow", str(to)]
    command = [sys.executable, "-m", "hub.bench.baselines", str(port), str(to), str(folder / "empty.db")]
    with running(receiver, folder / "empty.log", to), running(command, folder / "empty.log", port):
        loaded = asyncio.run(load(range(orders), 1, 0, to, tell, url=f"http://127.0.0.1:{port}/"))
    return orders / float(loaded["elapsed"])


@contextmanager
def _hub(config: Path, folder: Path, port: int, workers: int) -> Iterator[list[int]]:
    """The hub's processes, as its users run them; their pids."""
    command = [sys.executable, "-m", "hub"]
    role = "serve" if workers else "run"
    with ExitStack() as stack:
        front = stack.enter_context(running([*command, role, "-c", str(config)], folder / "hub.log", port))
        pids = [front.pid]
        started = {}
        for number in range(workers):
            output = folder / f"work-{number}.log"
            with output.open("ab") as sink:
                words = [*command, "work", "-c", str(config)]
                process = subprocess.Popen(words, stdout=sink, stderr=sink, start_new_session=True)  # noqa: S603  # our own
            stack.callback(stop, process)
            started[output] = process
        for output, process in started.items():
            wait_until_told("working", process, output)
            pids.append(process.pid)
        yield pids


def peer(orders: int, url: str, port: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """The same load against another tool that takes JSON webhooks at `url` and posts them on to this machine's `port`
    at /hub/d0. It need not map: what arrives is counted by `order_no`."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name:
        receiver = [sys.executable, "-m", "hub.bench.flow", str(port)]
        with running(receiver, Path(name) / "receiver.log", port):
            tell(f"the tool must post to http://127.0.0.1:{port}/hub/d0")
            loaded = asyncio.run(load(range(orders), 1, 0, port, tell, url=url))
    acks, report = loaded["acks"], loaded["report"]
    found = {
        "orders": orders, "accepted_per_s": orders / loaded["accepted_s"], "delivered": report["taken"],
        "delivered_per_s": report["taken"] / loaded["elapsed"], "duplicates": report["duplicates"],
        "lost": orders - report["taken"], "ack_p50_ms": percentile(acks, 50) * 1000,
        "ack_p99_ms": percentile(acks, 99) * 1000,
    }  # fmt: skip
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()}


def order(number: int) -> bytes:
    """One order of the own site, with three lines; about 2 KB."""
    lines = [
        {
            "id": f"{number}-{i}",
            "sku": f"SKU-{(number * 7 + i) % 500:04d}",
            "title": f"棉质长袖衬衫 第 {i} 款",
            "variant": "藏青 / XL",
            "quantity": i,
            "price": "59.90",
            "total": str(i * Decimal("59.90")),
        }
        for i in (1, 2, 3)
    ]
    body = {
        "order_no": f"B{number:09d}",
        "status": "paid",
        "payment_status": "paid",
        "shipping_status": "none",
        "currency": "CNY",
        "created_at": "2026-11-01T08:00:00+08:00",
        "paid_at": "2026-11-01T08:00:30+08:00",
        "updated_at": "2026-11-01T08:00:31+08:00",
        "goods": "359.40",
        "total": "359.40",
        "paid": "359.40",
        "customer": {"id": f"C{number % 1000}", "name": "测试顾客", "email": "buyer@example.com"},
        "address": {
            "name": "测试收货人",
            "phone": "13800000000",
            "country": "CN",
            "state": "浙江省",
            "city": "杭州市",
            "district": "西湖区",
            "street": "示例路 1 号",
            "postcode": "310000",
        },
        "items": lines,
        "note": "请工作日送货" * 20,
    }
    return json.dumps(body, ensure_ascii=False).encode()


async def load(
    orders: range,
    destinations: int,
    port: int,
    receiver: int,
    tell: Callable[[str], None],
    *,
    rate: float = 0.0,
    url: str = "",
) -> dict[str, Any]:
    """Send these orders, as fast as they are taken or at a rate, and wait until all have arrived."""
    started = time.perf_counter()
    acks = await send(orders, url or f"http://127.0.0.1:{port}/hooks/bench", rate)
    accepted = time.perf_counter() - started
    wanted, report = orders.stop * destinations, {"taken": 0}
    deadline = time.perf_counter() + DRAIN_WITHIN
    async with aiohttp.ClientSession() as session:
        while report["taken"] < wanted and time.perf_counter() < deadline:
            await asyncio.sleep(0.05)
            async with session.get(f"http://127.0.0.1:{receiver}/report") as answer:
                report = await answer.json()
    tell(f"accepted in {accepted:.1f} s, delivered {report['taken']} of {wanted}")
    return {"accepted_s": accepted, "delivered_s": report["last"] - report["first_hub"] if report["taken"] else 0.0,
            "elapsed": time.perf_counter() - started, "acks": sorted(acks), "report": report}  # fmt: skip


async def send(orders: range, url: str, rate: float = 0.0) -> list[float]:
    """Push these orders, signed, over CONNECTIONS connections; seconds that each waited for its answer."""
    bodies = [order(n) for n in orders]
    signed = [(b, hmac.new(SECRET.encode(), b, hashlib.sha256).hexdigest()) for b in bodies]
    acks: list[float] = []
    queue = iter(enumerate(signed))
    started = time.perf_counter()
    pool, patience = aiohttp.TCPConnector(limit=CONNECTIONS), aiohttp.ClientTimeout(total=ANSWER_WITHIN)
    async with aiohttp.ClientSession(connector=pool, timeout=patience) as session:

        async def worker() -> None:
            for number, (body, signature) in queue:
                if rate:
                    await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
                tick = time.perf_counter()
                headers = {"x-signature": signature, "content-type": "application/json"}
                async with session.post(url, data=body, headers=headers) as answer:
                    if answer.status >= 300:
                        raise ConfigError([f"it answered {answer.status}: {await answer.text()}"])
                acks.append(time.perf_counter() - tick)

        await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
    return acks


def _figures(
    orders: int,
    destinations: int,
    alone: tuple[float, float],
    empty: float,
    loaded: dict[str, Any],
    latency: list[float],
    half: list[float],
    cpu: float,
    peak: float,
) -> Figures:
    report, acks = loaded["report"], loaded["acks"]
    delivered = report["taken"] / max(loaded["elapsed"], 1e-9)
    return Figures(
        orders, destinations, orders / loaded["accepted_s"], delivered,
        alone[0], delivered / alone[0], empty, delivered / destinations / empty,
        percentile(acks, 50) * 1000, percentile(acks, 99) * 1000,
        percentile(latency, 50) * 1000, percentile(latency, 99) * 1000,
        percentile(half, 50) * 1000, percentile(half, 99) * 1000,
        cpu, cpu * 1000 / orders, alone[1], peak,
        orders * destinations - report["taken"], report["duplicates"], report["out_of_order"],
    )  # fmt: skip


def percentile(values: list[float], part: float) -> float:
    """Of sorted values, the one below which so many of a hundred lie; 0 of none."""
    return values[min(len(values) - 1, int(len(values) * part / 100))] if values else 0.0


def _latency(url: str, folder: Path) -> list[float]:
    store = Store(url, folder=folder)
    try:
        with store.look() as connection:
            return views.latencies(connection)
    finally:
        store.close()


def _refuse_used(url: str) -> None:
    store = Store(url)
    try:
        store.prepare()
        with store.look() as connection:
            if views.message_states(connection):
                raise ConfigError(["--store: this database holds messages; name an empty one"])
    finally:
        store.close()


def write_config(
    folder: Path, url: str, port: int, receiver: int, destinations: int, routed: int = 0, backlog: int = 1_000_000
) -> Path:
    """A hub.toml with one shop and so many destinations, of which orders go to the first `routed` (0: all); `backlog`
    is how much may wait before the hub takes nothing more."""
    names = [f"d{i}" for i in range(destinations)]
    sections = "\n".join(
        f'[destinations.{n}]\nkind = "http"\nurl = "http://127.0.0.1:{receiver}/hub/{n}"\nin_flight = {IN_FLIGHT}\n'
        f'secret = "whsec_{base64.b64encode(SECRET.encode()).decode()}"\n'
        for n in names
    )
    path = folder / "hub.toml"
    path.write_text(
        CONFIG.format(
            store=url,
            port=port,
            backlog=backlog,
            secret=SECRET,
            destinations=sections,
            names=json.dumps(names[: routed or destinations]),
        ),
        encoding="utf-8",
    )
    return path


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, as the kernel tells it (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    """Peak memory of a process as the kernel tells it (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def receiver_app() -> web.Application:
    """Takes documents, keeps their ids, and tells how many came twice or in the wrong order."""
    seen: dict[str, set[str]] = {}
    revisions: dict[str, str] = {}
    totals = {"taken": 0, "duplicates": 0, "out_of_order": 0, "bare": 0, "first_hub": 0.0, "last": 0.0}

    async def take(request: web.Request) -> web.Response:
        document = json.loads(await request.read())
        name = request.match_info["name"]
        number, revision = document["order_no"], document.get("revision", "")
        totals["first_hub"] = totals["first_hub"] or clock.now().timestamp()
        totals["last"] = clock.now().timestamp()
        if number in seen.setdefault(name, set()):
            totals["duplicates"] += 1
        else:
            seen[name].add(number)
            totals["taken"] += 1
        if revision < revisions.get(f"{name}/{number}", ""):
            totals["out_of_order"] += 1
        revisions[f"{name}/{number}"] = revision
        return web.json_response({"ok": True})

    async def bare(request: web.Request) -> web.Response:
        json.loads(await request.read())
        totals["bare"] += 1
        return web.json_response({"ok": True})

    async def report(_request: web.Request) -> web.Response:
        return web.json_response(totals)

    app = web.Application()
    app.router.add_post("/hub/{name}", take)
    app.router.add_post("/bare", bare)
    app.router.add_get("/report", report)
    return app


if __name__ == "__main__":
    web.run_app(receiver_app(), host="127.0.0.1", port=int(sys.argv[1]), print=None)
