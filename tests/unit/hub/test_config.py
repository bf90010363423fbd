"""hub.toml: everything that is wrong, at once, in words that help."""

from pathlib import Path

import pytest

from canonical.errors import ConfigError
from hub import config, wiring
from hub.config import parse_duration, parse_rate, parse_size


def problems_of(folder: Path, text: str) -> list[str]:
    path = folder / "hub.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        wiring.build(path)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("1.5h", 5400), ("250ms", 0.25), ("2d", 172800)]
)
def test_durations_carry_their_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "ten seconds", "-5s", "5 weeks"])
def test_a_duration_without_a_unit_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        parse_duration(text)


def test_rates_and_sizes() -> None:
    assert parse_rate("600/m") == 10
    assert parse_size("10MiB") == 10 * 1024 * 1024
    for parse in (parse_rate, parse_size):
        with pytest.raises(ValueError, match="such as"):
            parse("50")


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hub init"):
        config.load(tmp_path / "hub.toml")


def test_all_problems_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    found = problems_of(
        tmp_path,
        """
[hub]
stroe = "sqlite:///hub.db"
[shops.site]
channel = "generic"
signature = { scheme = "hmac-sha256-hex", header = "x-s", secret = "env:NOT_SET_ANYWHERE" }
[destinations.erp]
kind = "http"
url = "https://erp.example.com"
timeout = "10"
""",
    )
    text = "\n".join(found)
    assert "hub.stroe: unknown key; did you mean 'store'?" in text
    assert "NOT_SET_ANYWHERE is not set" in text
    assert "destinations.erp.timeout" in text


def test_unknown_names_get_the_nearest_known_one(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """
[shops.a]
channel = "shopfy"
[destinations.erp]
kind = "htttp"
[[routes]]
on = "order"
to = ["erb"]
""",
    )
    text = "\n".join(found)
    assert "did you mean 'erp'?" in text


def test_unknown_adapters_are_named_with_those_there_are(tmp_path: Path) -> None:
    text = "\n".join(problems_of(tmp_path, '[shops.a]\nchannel = "genric"\n[destinations.b]\nkind = "flie"\n'))
    assert "shops.a.channel" in text
    assert "did you mean 'generic'?" in text
    assert "did you mean 'file'?" in text


def test_a_route_condition_that_does_not_parse_is_refused(tmp_path: Path) -> None:
    text = "\n".join(
        problems_of(
            tmp_path,
            '[destinations.b]\nkind = "file"\npath = "out"\n[[routes]]\non = "order"\nif = "state == "\nto = ["b"]\n',
        )
    )
    assert "routes: if" in text


def test_secrets_do_not_show_in_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_text(
        '[shops.s]\nchannel = "generic"\nsignature = {scheme = "token", header = "x-t", secret = "very-secret-tok"}\n',
        encoding="utf-8",
    )
    hub = wiring.build(path)
    assert "very-secret-tok" not in repr(hub.shops["s"].channel.__dict__)
    hub.store.close()
