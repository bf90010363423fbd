"""`hub init`, `hub check`, `hub mapping`, `hub pull`: what is wrong is named, with what to do."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from hub import adapting, clock, wiring
from hub.store import views
from tests.rig import order
from tests.unit.cli.terminal import Terminal


def test_init_writes_once_and_never_over_a_file_that_is_there(bare: Terminal) -> None:
    assert bare("init", "deep/hub.toml").code == 0
    before = (bare.folder / "deep" / "hub.toml").read_text("utf-8")
    for kind in ("taobao", "jd", "douyin", "shopify", "generic"):
        assert f'channel = "{kind}"' in before
    for kind in ("http", "file"):
        assert f'kind = "{kind}"' in before
    (bare.folder / "deep" / "hub.toml").write_text("mine", encoding="utf-8")
    refused = bare("init", "deep/hub.toml")
    assert (refused.code, "--force" in refused.err) == (3, True)
    assert (bare.folder / "deep" / "hub.toml").read_text("utf-8") == "mine"
    assert bare("init", "deep/hub.toml", "--force").code == 0
    assert (bare.folder / "deep" / "hub.toml").read_text("utf-8") == before


@pytest.mark.parametrize(
    "words", [("check",), ("run",), ("orders", "list"), ("doctor",), ("dlq", "groups")], ids=" ".join
)
def test_without_a_configuration_every_command_says_how_to_make_one(bare: Terminal, words: tuple[str, ...]) -> None:
    said = bare(*words)
    assert said.code in (1, 3)
    assert "hub.toml: cannot be read" in said.err
    assert "hub init" in said.err


def test_what_is_not_wrong_but_worth_a_look_is_told(terminal: Terminal) -> None:
    said = terminal("check", "--json")
    assert (said.code, said.json["ok"], said.json["notes"]) == (0, True, [])
    text = terminal.config.read_text("utf-8").replace('to = ["erp", "wms"]', 'to = ["erp"]').replace("refund", "stock")
    terminal.config.write_text(text, encoding="utf-8")
    notes = terminal("check", "--json").json["notes"]
    assert any(n.startswith("destinations.wms: no route leads there") for n in notes)
    assert any("documents of kind refund" in n for n in notes)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('channel = "generic"', 'channel = "taobo"', "did you mean 'taobao'?"),
        ('kind = "http"', 'kind = "htp"', "did you mean 'http'?"),
        ('to = ["erp"]', 'to = ["erb"]', "did you mean 'erp'?"),
        ('url = "https://erp', 'uri = "https://erp', "did you mean 'url'?"),
        ("first = ", "frist = ", "did you mean 'first'?"),
        ('first = "1s"', 'first = "1"', 'such as "30s"'),
        ("[[routes]]\n", '[[routes]]\nif = "state =="\n', "state =="),
        ("[hub]\n", "[hub\n", "not valid TOML"),
        ("[hub]\n", '[hub]\nmappings = "nowhere"\n', "does not exist"),
        ("[hub]\n", '[hub]\nkey = "env:NOT_SET_ANYWHERE"\n', "NOT_SET_ANYWHERE is not set"),
        ("[hub]\n", '[hub]\nkey = "file:absent"\n', "the file absent cannot be read"),
    ],
)
def test_each_mistake_is_named_with_what_was_meant(terminal: Terminal, before: str, after: str, told: str) -> None:
    text = terminal.config.read_text("utf-8")
    assert before in text
    terminal.config.write_text(text.replace(before, after, 1), encoding="utf-8")
    said = terminal("check")
    assert said.code == 1
    assert told in said.err
    assert "The hub does not start until they are gone" in said.err
    machine = terminal("check", "--json")
    assert (machine.code, machine.json["ok"]) == (1, False)
    assert any(told in problem for problem in machine.json["problems"])
    assert terminal("orders", "list").code == 3


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:99999", "127.0.0.1:", "::1"])
def test_an_address_that_is_none_is_refused(terminal: Terminal, listen: str) -> None:
    said = terminal("run", "--listen", listen)
    assert (said.code, "hub.listen" in said.err) == (3, True)


@pytest.mark.parametrize("verb", ["serve", "work"])
def test_sqlite_is_for_one_process_that_does_everything(terminal: Terminal, verb: str) -> None:
    said = terminal(verb)
    assert said.code == 3
    assert "on SQLite use hub run" in said.err


def test_a_store_that_is_no_database_is_said_so(terminal: Terminal) -> None:
    for part in terminal.folder.glob("hub.db*"):
        part.unlink()
    (terminal.folder / "hub.db").write_bytes(b"this is no database, " * 400)
    said = terminal("orders", "list")
    assert (said.code, "hub.store: cannot open" in said.err) == (3, True)


def test_a_mapping_s_failing_case_shows_where_it_differs(bare: Terminal) -> None:
    folder = bare.folder / "mappings"
    shutil.copytree(adapting.mappings_folder(), folder)
    said = bare("mapping", "test", "generic", "--mappings", folder, "--json")
    assert (said.code, said.json["failed"]) == (0, [])
    path = folder / "channels" / "generic" / "order.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace('cancelled = "cancelled"', 'cancelled = "completed"', 1), encoding="utf-8")
    failed = bare("mapping", "test", "generic/order", "--mappings", folder)
    assert failed.code == 1
    assert "order-cancelled" in failed.err
    assert "state" in failed.err
    path.write_text(text.replace('order_no = "order_no"', 'order_no = "order_no["', 1), encoding="utf-8")
    broken = bare("mapping", "test", "generic/order", "--mappings", folder)
    assert (broken.code, "order.toml:" in broken.err) == (3, True)


def test_mappings_are_listed_with_their_versions(bare: Terminal) -> None:
    versions = bare("mapping", "list", "--json").json["mappings"]
    assert versions.keys() >= {"channels/taobao/order", "channels/taobao/refund", "destinations/kingdee/order"}
    assert len(set(versions.values())) == len(versions)
    assert "channels/taobao/order" in bare("mapping", "list").out
    unknown = bare("mapping", "test", "nowhere")
    assert (unknown.code, "'nowhere'" in unknown.err) == (1, True)


PULLED = """
[shops.list]
channel = "generic"
[shops.list.source.order]
url = "http://127.0.0.1:9/orders"
records = "items"
"""


def test_a_pull_that_cannot_be_is_explained(terminal: Terminal) -> None:
    terminal.config.write_text(terminal.config.read_text("utf-8") + PULLED, encoding="utf-8")
    nobody = terminal("pull", "nobody")
    assert (nobody.code, "there are: site, list" in nobody.err) == (2, True)
    pushed = terminal("pull", "site")
    assert (pushed.code, "cannot pull" in pushed.err) == (2, True)
    assert terminal("pull", "list", "--kind", "refund").code == 2
    bad = terminal("pull", "list", "--from", "yesterday")
    assert (bad.code, "2026-01-31" in bad.err) == (2, True)
    for words in (("--from", "2026-02-01", "--to", "2026-01-01"), ("--from", "2999-01-01")):
        assert terminal("pull", "list", *words).code == 2
    dead = terminal("pull", "list", "--json")
    assert dead.code == 1
    assert dead.json["pulled"]["order"]["error"].startswith("delivery.unreachable")


def test_paths_start_where_hub_toml_lies(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = '[destinations.archive]\nkind = "file"\npath = "archive"\n'
    terminal.config.write_text(terminal.config.read_text("utf-8") + archive, encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    said = terminal("orders", "list", "-c", terminal.config, "--json")
    assert len(said.json["orders"]) == 7
    adapter = wiring.build(terminal.config).targets["archive"].adapter
    assert str(terminal.folder / "archive") in repr(vars(adapter))
    assert list(elsewhere.iterdir()) == []


def pages(count: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """A site whose list has so many pages of one order."""

    def get(request: BaseHTTPRequestHandler) -> None:
        page = int(parse_qs(urlsplit(request.path).query).get("cursor", ["0"])[0])
        following = str(page + 1) if page + 1 < count else None
        body = json.dumps({"items": [order(f"P{page}")], "next": following}).encode()
        request.send_response(200)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return get


@pytest.fixture
def site() -> Iterator[str]:
    """The address of a small own site with an order list of five pages."""
    handler = type("Handler", (BaseHTTPRequestHandler,), {"do_GET": pages(5), "log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_span_is_pulled_whole_and_never_moves_the_pulls_that_follow_beyond_now(terminal: Terminal, site: str) -> None:
    shop = PULLED.replace("http://127.0.0.1:9", site).replace(
        'records = "items"', 'records = "items"\nnext_cursor = "next"'
    )
    shop = shop.replace('channel = "generic"', 'channel = "generic"\npull = { limit = "20/s" }')
    terminal.config.write_text(terminal.config.read_text("utf-8") + shop, encoding="utf-8")
    since = (clock.now() - timedelta(hours=1)).isoformat()
    said = terminal("pull", "list", "--from", since, "--to", "2999-01-01", "--json")
    assert said.code == 0
    assert said.json["pulled"]["order"]["error"] == ""
    assert said.json["pulled"]["order"]["new"] == 5
    store = wiring.build(terminal.config).store
    with store.look() as connection:
        (row,) = views.pull_states(connection)
    store.close()
    assert row["reached"] < clock.now().timestamp()
