"""A real Tryton server for tests: GPL software that runs as a process of its own and is only talked to.

Making its database takes a minute; it is kept as a template in the system's temporary folder, by the versions of its
packages, and copied for each test.
"""

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import httpx

from hub.processes import free_port
from tests.guards import HANGS

ADMIN = Path(sys.executable).with_name("trytond-admin")
SERVER = Path(sys.executable).with_name("trytond")
TAX = "VAT 13%"
PASSWORD = "for-tests-only"
CONF = "[web]\nlisten = 127.0.0.1:{port}\n[database]\nuri = sqlite://\npath = {folder}\n[session]\ntimeout = 6000\n"
MODULES = ("sale", "account_invoice_stock")


def decimal(text: str) -> dict[str, str]:
    """An amount as Tryton's JSON has it."""
    return {"__class__": "Decimal", "decimal": text}


def day(month: int, number: int) -> dict[str, Any]:
    """A date of 2026 as Tryton's JSON has it."""
    return {"__class__": "date", "year": 2026, "month": month, "day": number}


class Erp:
    """One server on a copy of the template. `key` opens its REST interface."""

    def __init__(self, folder: Path, skus: list[str]) -> None:
        self.folder, self.port, self.key = folder, free_port(), ""
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(_template(), folder / "books.sqlite")
        (folder / "trytond.conf").write_text(CONF.format(port=self.port, folder=folder))
        self.start()
        self._provision(skus)

    def start(self) -> None:
        """Start it on the data that is there; returns when it answers."""
        with (self.folder / "log").open("ab") as log:
            command = [str(SERVER), "-c", str(self.folder / "trytond.conf"), "-d", "books"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        asked = {"id": 1, "method": "common.server.version", "params": []}
        for _ in range(600):
            with suppress(httpx.HTTPError):
                if httpx.post(f"{self.url}/rpc/", json=asked, timeout=HANGS).status_code == 200:
                    return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
                break  # it ended, and will not answer any more
        raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])

    def stop(self, *, kill: bool = False) -> None:
        """SIGTERM, or as `kill -9` does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL if kill else signal.SIGTERM)
            self._process.wait(HANGS)
            self._process = None

    def search(self, model: str, domain: list[Any], *fields: str) -> list[dict[str, Any]]:
        """Records by the REST interface, as a person with the key reads them."""
        encoded = base64.urlsafe_b64encode(httpx.Request("GET", "http://x", json=domain).content).decode()
        headers = {"Authorization": f"Bearer {self.key}", "X-Tryton-Context": _context(1)}
        asked = {"d": encoded, "f": list(fields)}
        answer = httpx.get(f"{self.url}/books/rest/model/{model}", params=asked, headers=headers, timeout=HANGS)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found

    def _provision(self, skus: list[str]) -> None:
        """A company with currency, accounts, a fiscal year and products."""
        rpc = _Rpc(self.url)
        rate = {"date": day(1, 1), "rate": decimal("1")}
        yuan = {"name": "Yuan", "code": "CNY", "symbol": "¥", "digits": 2, "rounding": decimal("0.01")}
        currency = rpc.create("currency.currency", yuan | {"rates": [["create", [rate]]]})
        party = rpc.create("party.party", {"name": "Merchant"})
        company = rpc.create("company.company", {"party": party, "currency": currency, "timezone": "Asia/Shanghai"})
        rpc.call("model.res.user.write", [rpc.user], {"companies": [["add", [company]]], "company": company})
        rpc.context = {"company": company, "language": "en"}
        revenue, expense = self._accounts(rpc, company)
        self._year(rpc, company)
        kept = rpc.find("account.account", [["name", "=", "Excise And Sales Taxes"], ["company", "=", company]])
        tax = {"name": TAX, "description": TAX, "type": "percentage", "rate": decimal("0.13"), "company": company}
        rpc.create("account.tax", tax | {"invoice_account": kept, "credit_note_account": kept})
        kinds = {"name": "goods", "accounting": True, "account_revenue": revenue, "account_expense": expense}
        category = rpc.create("product.category", kinds)
        unit = rpc.find("product.uom", [["name", "=", "Unit"]])
        for sku in skus:
            product = {"name": sku, "type": "goods", "default_uom": unit, "salable": True, "sale_uom": unit}
            more = {"account_category": category, "products": [["create", [{"suffix_code": sku}]]]}
            rpc.create("product.template", product | more)
        application = rpc.create("res.user.application", {"user": rpc.user, "application": "rest"})
        self.key = rpc.call("model.res.user.application.read", [application], ["key"])[0]["key"]

    def _accounts(self, rpc: "_Rpc", company: int) -> tuple[int, int]:
        chart = rpc.find("account.account.template", [["parent", "=", None]])
        session = rpc.call("wizard.account.create_chart.create")[0]

        def step(state: str, **data: Any) -> None:
            rpc.call("wizard.account.create_chart.execute", session, data, state)

        def account(kind: str, **more: Any) -> int:
            domain = [[f"type.{kind}", "=", True], ["closed", "!=", True], ["company", "=", company]]
            return rpc.find("account.account", domain + [[name, "=", value] for name, value in more.items()])

        step("account")
        step("create_account", account={"company": company, "account_template": chart})
        owed, owing = account("receivable", party_required=True), account("payable", party_required=True)
        books = {"company": company, "account_receivable": owed, "account_payable": owing}
        step("create_properties", properties=books)
        rpc.call("wizard.account.create_chart.delete", session)
        return account("revenue"), account("expense")

    def _year(self, rpc: "_Rpc", company: int) -> None:
        def sequence(name: str) -> int:
            kind = rpc.find("ir.sequence.type", [["name", "=", name]])
            return rpc.create("ir.sequence.strict", {"name": name, "sequence_type": kind, "company": company})

        invoices, moves = sequence("Invoice"), sequence("Account Move")
        names = ("in_invoice_sequence", "in_credit_note_sequence", "out_invoice_sequence", "out_credit_note_sequence")
        numbered = {"company": company, **dict.fromkeys(names, invoices)}
        year = {"name": "2026", "start_date": day(1, 1), "end_date": day(12, 31), "company": company}
        more = {"move_sequence": moves, "invoice_sequences": [["create", [numbered]]]}
        number = rpc.create("account.fiscalyear", year | more)
        rpc.call("model.account.fiscalyear.create_period", [number])


class _Rpc:
    """Tryton's JSON-RPC, with which a person sets it up."""

    def __init__(self, url: str) -> None:
        self._http, self._number, self.context = httpx.Client(base_url=url, timeout=HANGS), 0, dict[str, Any]()
        login = self._ask("common.db.login", ["admin", {"password": PASSWORD}, "en"])
        self.user, token = login[0], login[1]
        session = base64.b64encode(f"admin:{self.user}:{token}".encode()).decode()
        self._http.headers["Authorization"] = f"Session {session}"

    def call(self, method: str, *params: Any) -> Any:
        return self._ask(method, [*params, self.context])

    def create(self, model: str, record: dict[str, Any]) -> int:
        return int(self.call(f"model.{model}.create", [record])[0])

    def find(self, model: str, domain: list[Any]) -> int:
        return int(self.call(f"model.{model}.search", domain, 0, 1, None)[0])

    def _ask(self, method: str, params: list[Any]) -> Any:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params}
        answer = self._http.post("/books/rpc/", json=asked).raise_for_status().json()
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]


def _context(company: int) -> str:
    return base64.urlsafe_b64encode(b'{"company": %d}' % company).decode()


def _template() -> Path:
    """The database with its modules activated; made once for these versions."""
    versions = sorted(f"{d.name}={d.version}" for d in distributions() if d.name.startswith("trytond"))
    mark = hashlib.sha256("\n".join([*versions, PASSWORD]).encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"hub-tryton-{os.getuid()}-{mark}.sqlite"
    if kept.exists():
        return kept
    with tempfile.TemporaryDirectory(prefix="hub-tryton-") as name:
        folder = Path(name)
        (folder / "books.sqlite").touch()
        (folder / "trytond.conf").write_text(CONF.format(port=free_port(), folder=folder))
        (folder / "password").write_text(PASSWORD)
        command = [str(ADMIN), "-c", str(folder / "trytond.conf"), "-d", "books", "--all", "-u", *MODULES]
        more = ["--activate-dependencies", "--email", "admin@example.com", "--language", "en"]
        environment = {**os.environ, "TRYTONPASSFILE": str(folder / "password")}
        subprocess.run([*command, *more], check=True, capture_output=True, env=environment, timeout=900)
        made = kept.with_suffix(f".{os.getpid()}")
        shutil.copy(folder / "books.sqlite", made)
        made.rename(kept)
    return kept
