"""`hub demo`: the main job against imitated platforms, from nothing to a balance that is proven.

Five shops pull and push, three receivers take, fail, drop answers and refuse. Then one group of dead letters is mended
by a word in a mapping table and replayed, and the books are compared with what the receivers counted themselves.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import tomlkit

from canonical.errors import ConfigError
from dlq import groups, shelf
from hub import adapting, breaker, clock, desk, wiring
from hub.processes import free_port, running, stop
from hub.store import Connection, Store, audit, state, views

RECEIVERS: dict[str, dict[str, Any]] = {
    "erp": {"fail_from": 6, "fail_until": 12, "needs_sku": True},
    "wms": {"drop_every": 20},
    "tax": {"refuse_every": 40, "refuse_kinds": ["order"], "style": "body"},
}
ROUTES: list[dict[str, Any]] = [
    {"on": "order", "to": ["erp"]},
    {"on": "order", "if": "shippable", "to": ["wms"]},
    {"on": "order", "if": "payment == 'paid' && !contains(holds[].code, 'test_order')", "to": ["tax"]},
    {"on": "refund", "to": ["erp", "tax"]},
]
SETTLED_WITHIN = 240.0
"""Seconds, on a slow and busy machine; the demo goes on as soon as nothing moves any more."""
MENDED = ("site", "state", "open")
"""The shop's mapping folder is `generic`; the unknown word goes into this table with this meaning."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """What the demo found. It is well when every check holds."""

    balance: list[dict[str, Any]] = field(default_factory=list)
    receivers: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: list[tuple[str, bool]] = field(default_factory=list)
    groups: int = 0
    replayed: int = 0
    sample: str = ""
    astray: list[Any] = field(default_factory=list)

    @property
    def well(self) -> bool:
        return all(holds for _, holds in self.checks)


def run(folder: Path, tell: Tell, watch: Callable[[dict[str, Any]], None], orders: int) -> Outcome:
    """Run the whole demo in a folder; its hub.toml and store stay there to be looked at."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    port = free_port()
    with sandbox(folder, orders) as base:
        config = write_config(folder, base, port)
        tell(
            f"sandbox at {base}: Taobao, JD, Douyin, Shopify and an own site, all imitated; ERP, WMS and tax receivers"
        )
        with hub_process(folder, config, port), httpx.Client(base_url=base, timeout=10) as control:
            for name, behaviour in RECEIVERS.items():
                control.post(f"/control/receiver/{name}", json=behaviour).raise_for_status()
            control.post("/control/start", json={"hub_url": f"http://127.0.0.1:{port}"}).raise_for_status()
            tell("traffic begins: the ERP will fail for some seconds, the WMS drops answers, tax refuses some")
            store = wiring.build(config).store
            try:
                return _observe(folder, control, store, tell, watch)
            finally:
                store.close()


def _observe(
    folder: Path, control: httpx.Client, store: Store, tell: Tell, watch: Callable[[dict[str, Any]], None]
) -> Outcome:
    settle(control, store, watch)
    outcome = Outcome()
    with store.look() as connection:
        found = groups.find(connection)
    outcome.groups = len(found)
    tell(f"{sum(g['count'] for g in found)} dead letters in {len(found)} groups; the largest:")
    for group in found[:6]:
        tell(f"  {group['fingerprint'][:6]}  {group['count']:>3} x {group['cause']:<24} {group['title'][:90]}")
    causes = {g["cause"] for g in found}
    outcome.checks.append((f"at least four different causes of dead letters ({len(causes)})", len(causes) >= 4))
    outcome.replayed = _mend(folder, control, store, found, outcome, tell, watch)
    books(control, store, outcome)
    return outcome


def _mend(
    folder: Path,
    control: httpx.Client,
    store: Store,
    causes: list[dict[str, Any]],
    outcome: Outcome,
    tell: Tell,
    watch: Callable[[dict[str, Any]], None],
) -> int:
    """Add the unknown word of one group to its mapping table, and replay the group."""
    shop, table, meaning = MENDED
    with store.look() as connection:
        letters = [shelf.get(connection, g["sample"]) for g in causes if g["cause"] == "mapping.unknown_word"]
    letter = next((found for found in letters if found and found["shop"] == shop), None)
    if letter is None:
        outcome.checks.append(("a group of unknown words to mend", False))
        return 0
    word = letter["problems"][0]["found"].strip("'\"")
    path = folder / "mappings" / "channels" / "generic" / "order.toml"
    mapping = tomlkit.parse(path.read_text(encoding="utf-8"))
    mapping["tables"][table][word] = meaning
    path.write_text(tomlkit.dumps(mapping), encoding="utf-8")
    tell(f'mended: mappings/channels/generic/order.toml, [tables.{table}] {word} = "{meaning}"')
    with store.begin() as connection:
        ids = desk.letters_of_group(connection, letter["fingerprint"])
        done = desk.replay(connection, ids, "demo")
    tell(f"replayed the group: {len(done.letters)} letters")
    settle(control, store, watch)
    with store.look() as connection:
        after = [shelf.get(connection, i) for i in ids]
    resolved = sum(1 for found in after if found and found["state"] in ("resolved", "superseded"))
    outcome.checks.append((f"the mended group went through ({resolved} of {len(ids)})", 0 < resolved == len(ids)))
    outcome.sample = letter["subject"]
    return len(ids)


def settle(control: httpx.Client, store: Store, watch: Callable[[dict[str, Any]], None]) -> None:
    """Wait until all traffic was played, every pull has seen all of it, and nothing moves any more."""
    deadline = time.perf_counter() + SETTLED_WITHIN
    played_at: float | None = None
    while time.perf_counter() < deadline:
        report = control.get("/control/report").json()
        if played_at is None and report.get("done"):
            played_at = clock.now().timestamp()
        with store.look() as connection:
            reached = [pull["reached"] for pull in views.pull_states(connection)]
            view = progress(connection, report)
        watch(view)
        seen = played_at is not None and all((moment or 0.0) >= played_at for moment in reached)
        if seen and view["waiting"] == 0:
            return
        time.sleep(0.4)


def progress(connection: Connection, report: dict[str, Any]) -> dict[str, Any]:
    """Where everything stands, for the live view."""
    messages = views.message_states(connection)
    accepted: dict[str, int] = {}
    waiting = 0
    for row in messages:
        accepted[row["shop"]] = accepted.get(row["shop"], 0) + row["n"]
        waiting += row["n"] if row["state"] in ("received", "fetch") else 0
    destinations = []
    for row in views.destination_states(connection):
        counts = row["counts"]
        moving = sum(counts.get(s, 0) for s in ("waiting", "sending", "in_doubt"))
        waiting += moving
        circuit = breaker.overall(state.circuits_of(row))
        destinations.append(
            {"name": row["name"], "breaker": circuit.state, "delivered": counts.get("delivered", 0), "waiting": moving,
             "held": counts.get("held", 0), "dead": counts.get("dead", 0)}
        )  # fmt: skip
    steps = report.get("steps", {"played": 0, "of": 0})
    return {"steps": steps, "accepted": accepted, "destinations": destinations, "waiting": waiting}


def books(control: httpx.Client, store: Store, outcome: Outcome) -> None:
    """Compare the hub's books with the receivers' own, and with what the platforms told."""
    report = control.get("/control/report").json()
    outcome.receivers = report["receivers"]
    with store.look() as connection:
        outcome.balance = views.balance(connection, list(RECEIVERS))
        delivered = {r["name"]: r["counts"].get("delivered", 0) for r in views.destination_states(connection)}
        turned = {(a["act"], a["subject"]) for a in audit.entries(connection, limit=1000)}
    told = report["expected"].values()
    orders, refunds = sum(t["orders"] for t in told), sum(t["refunds"] for t in told)
    counted = outcome.receivers.values()
    add = outcome.checks.append
    add((f"every line of the balance holds ({len(outcome.balance)} lines)", all(r["holds"] for r in outcome.balance)))
    waiting = sum(r["waiting"] for r in outcome.balance)
    add((f"nothing is left waiting ({waiting})", waiting == 0))
    for name, book in outcome.receivers.items():
        taken = book["taken"]
        add((f"{name} counted what the hub says it delivered ({taken} = {delivered.get(name, 0)})",
             taken == delivered.get(name, 0)))  # fmt: skip
    add((f"at least 400 orders and 80 refunds ({orders} and {refunds})", orders >= 400 and refunds >= 80))
    twice, wrong = sum(b["duplicates_in_effect"] for b in counted), sum(b["out_of_order"] for b in counted)
    add((f"0 duplicates in effect ({twice})", twice == 0))
    add((f"0 out of order ({wrong})", wrong == 0))
    turns = [act for act in ("breaker.open", "breaker.half_open", "breaker.closed") if (act, "erp") in turned]
    add(("the ERP's breaker opened, probed and closed", len(turns) == 3))
    compared = control.get("/control/audit/erp", params={"mended": "site/unknown_word"}).json()
    astray = [*compared["missing"], *compared["differing"]]
    add((f"the ERP's documents say what the platforms say in the end ({len(astray)} missing or differing)", not astray))
    outcome.astray = astray
    missing = lost(control, store)
    add((f"0 lost ({len(missing)}{': ' + ', '.join(missing[:5]) if missing else ''})", not missing))


def lost(control: httpx.Client, store: Store) -> list[str]:
    """Orders of the platforms that are neither at the ERP nor in the hub with a named reason."""
    taken = {(d["shop"], d["subject"]) for d in control.get("/receivers/erp/documents").json()}
    missing = []
    with store.look() as connection:
        for story in control.get("/control/stories").json():
            if not story["orders"] or (story["channel"], story["subject"]) in taken:
                continue
            found = views.trace(connection, story["subject"])
            explained = found["dead_letters"] or any(d["state"] == "dead" for d in found["deliveries"])
            if not explained:
                missing.append(f"{story['channel']} {story['subject']} ({story['label']})")
    return missing


def sandbox_settings(base: str) -> dict[str, Any]:
    """The shops and destinations of a hub.toml that talks to the sandbox at this address."""
    from adapters.sandbox.server import configuration  # not every command has to wait for the sandbox to load

    plain: dict[str, Any] = configuration(base)
    for name, shop in plain["shops"].items():
        shop["channel"] = "generic" if name == "site" else name
    return plain


def write_config(folder: Path, base: str, port: int) -> Path:
    """A hub.toml for the sandbox, with a copy of the mappings that may be changed."""

    shutil.copytree(adapting.mappings_folder(), folder / "mappings")
    plain = sandbox_settings(base)
    for shop in plain["shops"].values():
        shop["pull"] = {"every": "1s", "overlap": "20s", "first": "1h"}
    for destination in plain["destinations"].values():
        destination["retry"] = {"first": "300ms", "factor": 2, "most": "2s", "give_up_after": "2m"}
        destination["breaker"] = {"failures": 0.5, "over": "10s", "at_least": 8, "open_for": "1s"}
        destination["timeout"] = "5s"
    hub = {"store": "sqlite:///hub.db", "mappings": "mappings", "listen": f"127.0.0.1:{port}"}
    path = folder / "hub.toml"
    path.write_text(tomlkit.dumps({"hub": hub, **plain, "routes": ROUTES}), encoding="utf-8")
    return path


@contextmanager
def sandbox(folder: Path, orders: int, spread: int = 15, tries: int = 5) -> Iterator[str]:
    """The sandbox as a process of its own; gives its address."""
    command = [sys.executable, "-m", "adapters.sandbox", "--orders", str(orders), "--spread", str(spread)]
    command += ["--tries", str(tries)]
    with (folder / "sandbox.log").open("wb") as sink:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, start_new_session=True)  # noqa: S603
        try:
            assert process.stdout is not None  # noqa: S101  # it is a pipe
            line = process.stdout.readline()
            if not line:
                raise ConfigError([f"the sandbox did not start; see {folder / 'sandbox.log'}"])
            yield json.loads(line)["listening"]
        finally:
            stop(process)
            process.stdout.close()  # type: ignore[union-attr]  # it is a pipe


def hub_process(folder: Path, config: Path, port: int) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """`hub run` as a process of its own, up and listening; stopped cleanly at the end."""
    return running([sys.executable, "-m", "hub", "run", "-c", str(config)], folder / "hub.log", port)
