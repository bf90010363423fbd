"""What becomes of payloads that are not ours, as told in real.json."""

from typing import Any

import pytest

from adapters.port import Envelope, Hint
from canonical import errors, parse_json
from canonical.errors import HubError
from hub.mapping.catalog import Catalog
from tests.contract.fixtures import CODES, NOW, ROOT, SHARED, cases, channel, covers, file_of, names


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    made = Catalog(ROOT / "mappings")
    made.load()
    return made


@pytest.mark.parametrize(("code", "case"), cases("real.json"))
def test_a_real_payload_becomes_what_it_should(code: str, case: dict[str, Any], catalog: Catalog) -> None:
    path = SHARED / case["name"]
    if not path.exists():
        pytest.skip("the shared fixtures are not on this machine")
    raw = path.read_bytes()
    body: Any = raw.decode() if raw.lstrip().startswith(b"<") else parse_json(raw)
    if "raises" in case:
        with pytest.raises(HubError) as caught:
            list(channel(code).read(body, case.get("kind")))
        assert type(caught.value) is getattr(errors, case["raises"]), repr(caught.value)
        return
    records = list(channel(code).read(body, case.get("kind")))
    done = [
        catalog.channel(code, r.kind).translate(r.body, tenant="default", shop="real", channel=code, now=NOW)
        for r in records
        if isinstance(r, Envelope)
    ]
    documents = [t.document.model_dump(mode="json", by_alias=True) for t in done if t.document is not None]

    assert [p.code for t in done for p in t.problems] == case.get("problems", []), [t.problems for t in done]
    assert len([t for t in done if t.ignored]) == case.get("ignored", 0)
    assert names(r for r in records if isinstance(r, Hint)) == case.get("hints", [])
    assert list(covers(case.get("documents", documents), documents)) == []
    assert case["why"]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared fixtures are not on this machine")
@pytest.mark.parametrize("code", [c for c in CODES if (SHARED / c).exists()])
def test_every_real_payload_is_accounted_for(code: str) -> None:
    there = {f"{code}/{p.name}" for p in (SHARED / code).iterdir() if p.suffix in (".json", ".xml")}

    assert there - set(file_of(code, "real.json")) == set()
