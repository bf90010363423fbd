"""The mappings that come with the hub: all load, all their cases hold."""

from pathlib import Path

import pytest

from hub.mapping.cases import run_cases
from hub.mapping.catalog import Catalog

FOLDER = Path(__file__).resolve().parents[3] / "mappings"


@pytest.fixture(scope="module")
def shipped():
    catalog = Catalog(FOLDER)
    catalog.load()
    return catalog


def test_every_case_holds(shipped):
    results = run_cases(shipped)
    failed = [(r.file, r.case, r.differences) for r in results if not r.passed]
    assert failed == []
    assert results


def test_every_mapping_has_cases(shipped):
    with_cases = {result.mapping.partition("/")[0] for result in run_cases(shipped)}
    assert {name.split("/")[1] for name in shipped.names()} <= with_cases
