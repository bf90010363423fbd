"""The audit log cannot be changed without its chain showing it, on both stores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from hub.store import StoreError, audit
from tests.rig import Rig

ACTS = [("letter.replayed", "letter 7", "A1"), ("breaker.open", "erp", "was closed"), ("token.created", "li", "viewer")]


async def filled(rig: Rig) -> None:
    for number, act in enumerate(ACTS * 3):
        await rig.run(audit.write, 1000.5 + number, "li", *act)


async def tamper(rig: Rig, statement: str) -> None:
    """What somebody with the database's password could do: switch the guard off, then change the log."""

    def work(connection):
        if connection.dialect.name == "postgresql":
            connection.execute(text("alter table audit disable trigger user"))
        else:
            connection.execute(text("drop trigger audit_no_update"))
            connection.execute(text("drop trigger audit_no_delete"))
        connection.execute(text(statement))

    await rig.run(work)


async def test_a_log_that_nobody_touched_is_whole(rig: Rig) -> None:
    await filled(rig)
    found = await rig.read(audit.verify)
    assert found.whole
    assert found.entries == 9


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("update audit set detail = 'was open' where id = 5", 5),
        ("update audit set actor = 'wang' where id = 1", 1),
        ("update audit set at = at + 1 where id = 9", 9),
        ("delete from audit where id = 4", 5),
        ("insert into audit (id, at, actor, act, subject, detail, hash) values (99, 1.0, 'x', 'y', 'z', '', '')", 99),
    ],
)
async def test_what_was_changed_is_found(rig: Rig, statement: str, first: int) -> None:
    await filled(rig)
    await tamper(rig, statement)
    found = await rig.read(audit.verify)
    assert not found.whole
    assert found.broken == first


async def test_an_end_that_was_cut_off_is_found_by_a_head_noted_before(rig: Rig) -> None:
    await filled(rig)
    head = (await rig.read(audit.verify)).head
    assert (await rig.read(audit.verify, head)).whole
    await tamper(rig, "delete from audit where id > 6")
    found = await rig.read(audit.verify, head)
    assert found.broken is None
    assert found.missing == head
    assert not found.whole


@pytest.mark.parametrize("statement", ["update audit set actor = 'x'", "delete from audit"])
async def test_the_database_refuses_to_change_it(rig: Rig, statement: str) -> None:
    await filled(rig)
    with pytest.raises(StoreError, match="append-only"):
        await rig.run(lambda connection: connection.execute(text(statement)))
    assert (await rig.read(audit.verify)).whole


@pytest.mark.hypothesis
@given(st.tuples(*[st.text()] * 3), st.tuples(*[st.text()] * 3))
def test_other_words_have_another_hash(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    names = ("act", "subject", "detail")
    rows = [dict(zip(names, words, strict=True)) | {"at": 1.0, "actor": "li"} for words in (one, other)]
    assert (audit.seal(audit.BEGIN, rows[0]) == audit.seal(audit.BEGIN, rows[1])) == (one == other)
