"""Replays under control: a frozen list, a ramp, a rate, a stop when too many die again; on both stores."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from dlq import shelf
from dlq.replay import Item, Job
from hub import desk, replaying
from hub.desk import NotFound, NotNow
from hub.store import audit, inbox, outbox, views
from hub.workers import Workers
from tests.rig import ONE, Rig, order

ACCEPTS = httpx.Response(200, json={"ok": True})
REFUSES = httpx.Response(422, json={"error": "unknown SKU"})


async def refused(rig: Rig, count: int) -> None:
    """So many orders that the ERP refused."""
    rig.answer = lambda _request: REFUSES
    for number in range(count):
        await rig.push(order(f"W{number:03d}"))
    await rig.work()
    assert len(await rig.read(shelf.find, limit=1000)) == count


async def plan(rig: Rig, **settings: Any) -> int:
    made = await rig.run(replaying.plan, {}, "li", **settings)
    return int(made["id"])


async def turn(rig: Rig, times: int = 1) -> None:
    for _ in range(times):
        await rig.run(replaying.turn, rig.hub.store.owner)
        await rig.work()


async def shown(rig: Rig, job: int) -> dict[str, Any]:
    found: dict[str, Any] = await rig.read(replaying.show, job)
    return found


async def test_a_plan_tells_what_it_would_mean_and_sends_nothing(rig: Rig) -> None:
    await refused(rig, 3)
    sent = len(rig.seen)
    job = await shown(rig, await plan(rig))
    assert job["state"] == "planned"
    assert job["plan"]["letters"] == 3
    assert job["plan"]["destinations"] == {"erp": 3}
    assert job["plan"]["money"] == {"CNY": "60.00"}
    assert (job["plan"]["already_delivered"], job["plan"]["in_doubt"]) == (0, 0)
    await turn(rig, 3)
    assert len(rig.seen) == sent
    assert len(await rig.open_letters()) == 3


async def test_its_list_is_frozen(rig: Rig) -> None:
    await refused(rig, 2)
    job = await plan(rig, ramp=[100])
    await rig.push(order("LATER"))
    await rig.work()
    rig.answer = lambda _request: ACCEPTS
    await rig.run(replaying.start, job, "li")
    await turn(rig, 4)
    assert (await shown(rig, job))["counts"][Item.WENT_THROUGH] == 2
    assert [letter["subject"] for letter in await rig.open_letters()] == ["LATER"]


async def test_stage_by_stage_until_all_went_through(rig: Rig) -> None:
    await refused(rig, 20)
    rig.answer = lambda _request: ACCEPTS
    job = await plan(rig, ramp=[5, 50, 100])
    await rig.run(replaying.start, job, "li")
    under_way = []
    for _ in range(12):
        await rig.run(replaying.turn, rig.hub.store.owner)
        counts = (await shown(rig, job))["counts"]
        under_way.append(counts[Item.GOING])
        await rig.work()
    assert [n for n in under_way if n] == [1, 9, 10]
    done = await shown(rig, job)
    assert done["state"] == Job.DONE
    assert done["counts"][Item.WENT_THROUGH] == 20
    acts = [(a["actor"], a["act"]) for a in await rig.read(audit.entries, limit=100)]
    assert acts.count(("li", "letter.replayed")) == 20
    assert ("hub", "replay.done") in acts
    assert (await rig.read(audit.verify)).whole


async def test_it_stops_by_itself_when_too_many_die_again(rig: Rig) -> None:
    await refused(rig, 20)
    job = await plan(rig, ramp=[10, 100], stop_at=0.2)
    await rig.run(replaying.start, job, "li")
    await turn(rig, 6)
    stopped = await shown(rig, job)
    assert stopped["state"] == Job.PAUSED
    assert stopped["reason"] == "2 of 2 died again, more than 20%"
    assert stopped["counts"][Item.WAITING] == 18
    rows = await rig.read(shelf.find, limit=1000)
    assert sorted(row["died"] for row in rows) == [1] * 18 + [2] * 2


async def test_who_lets_it_go_on_is_not_stopped_by_what_died_before(rig: Rig) -> None:
    await refused(rig, 20)
    job = await plan(rig, ramp=[10, 100], stop_at=0.2)
    await rig.run(replaying.start, job, "li")
    await turn(rig, 6)
    assert (await shown(rig, job))["state"] == Job.PAUSED
    rig.answer = lambda _request: ACCEPTS
    await rig.run(replaying.start, job, "li")
    await turn(rig, 5)
    done = await shown(rig, job)
    assert (done["state"], done["counts"][Item.WENT_THROUGH], done["counts"][Item.DIED_AGAIN]) == (Job.DONE, 18, 2)


async def test_what_died_again_is_planned_anew(rig: Rig) -> None:
    await refused(rig, 4)
    rig.answer = lambda request: REFUSES if b"W002" in request.content else ACCEPTS
    first = await plan(rig, ramp=[100], stop_at=1.0)
    await rig.run(replaying.start, first, "li")
    await turn(rig, 3)
    assert (await shown(rig, first))["counts"] == {
        "waiting": 0, "going": 0, "went_through": 3, "died_again": 1, "skipped": 0,
    }  # fmt: skip
    second = await rig.run(replaying.again, first, "li")
    rig.answer = lambda _request: ACCEPTS
    await rig.run(replaying.start, second["id"], "li")
    await turn(rig, 3)
    assert (await shown(rig, second["id"]))["counts"][Item.WENT_THROUGH] == 1
    assert await rig.open_letters() == []


async def test_pause_resume_cancel(rig: Rig) -> None:
    await refused(rig, 10)
    rig.answer = lambda _request: ACCEPTS
    job = await plan(rig, ramp=[10, 100])
    await rig.run(replaying.start, job, "li")
    await turn(rig)
    await rig.run(replaying.pause, job, "wang")
    await turn(rig, 3)
    assert (await shown(rig, job))["counts"][Item.WAITING] == 9
    await rig.run(replaying.start, job, "wang")
    await turn(rig)
    await rig.run(replaying.cancel, job, "wang")
    await turn(rig, 3)
    ended = await shown(rig, job)
    assert ended["state"] == Job.CANCELLED
    assert len(await rig.open_letters()) == ended["counts"][Item.WAITING]
    with pytest.raises(NotNow, match="is cancelled"):
        await rig.run(replaying.start, job, "wang")


async def test_a_rate_is_kept(rig: Rig) -> None:
    await refused(rig, 10)
    rig.answer = lambda _request: ACCEPTS
    job = await plan(rig, ramp=[100], rate=3.0)
    await rig.run(replaying.start, job, "li")
    await turn(rig)
    assert (await shown(rig, job))["counts"][Item.WAITING] == 7


async def test_another_process_goes_on_where_one_stopped(rig: Rig) -> None:
    await refused(rig, 4)
    rig.answer = lambda _request: ACCEPTS
    job = await plan(rig, ramp=[25, 100])
    await rig.run(replaying.start, job, "li")
    await rig.run(replaying.turn, "one that is killed then")
    await rig.work()
    assert await rig.run(replaying.turn, "the next") is None  # the first one may still be alive
    from dlq.replay import replays  # the lease runs out

    await rig.run(lambda c: c.execute(replays.update().values(lease_until=0.0)))
    for _ in range(5):
        await rig.run(replaying.turn, "the next")
        await rig.work()
    assert (await shown(rig, job))["counts"][Item.WENT_THROUGH] == 4


async def test_letters_that_are_gone_are_skipped_and_say_why(rig: Rig) -> None:
    await refused(rig, 2)
    job = await plan(rig, ramp=[100])
    (first, *_) = await rig.open_letters()
    await rig.run(desk.discard, [first["id"]], "wang", "a test order")
    rig.answer = lambda _request: ACCEPTS
    await rig.run(replaying.start, job, "li")
    await turn(rig, 3)
    from dlq import replay

    rows = {row["letter_id"]: (row["state"], row["why"]) for row in await rig.read(replay.results, job)}
    assert rows[first["id"]] == ("skipped", "no longer open")
    assert sorted(state for state, _ in rows.values()) == ["skipped", "went_through"]


async def test_orders_keep_their_order_within_a_replay(rig: Rig) -> None:
    rig.answer = lambda _request: REFUSES
    await rig.push(order("W1", status="teleported", minute=1))
    await rig.push(order("W1", status="teleported", minute=2))
    await rig.push(order("W2", status="teleported"))
    await rig.work()
    job = await plan(rig, ramp=[100], stop_at=1.0)
    await rig.run(replaying.start, job, "li")
    await rig.run(replaying.turn, rig.hub.store.owner)
    assert (await shown(rig, job))["counts"] == {
        "waiting": 1, "going": 2, "went_through": 0, "died_again": 0, "skipped": 0,
    }  # fmt: skip


async def test_mapping_again_with_nothing_changed_sends_what_is_dead(rig: Rig) -> None:
    await refused(rig, 1)
    rig.answer = lambda _request: ACCEPTS
    job = await plan(rig, ramp=[100], step="map")
    await rig.run(replaying.start, job, "li")
    await turn(rig, 3)
    assert await rig.states() == ["delivered"]
    assert (await shown(rig, job))["counts"][Item.WENT_THROUGH] == 1
    assert await rig.balances()


async def test_what_cannot_go_on_from_a_step_stays_open(rig: Rig) -> None:
    await rig.push(order(status="teleported"))
    await rig.work()
    job = await plan(rig, ramp=[100], step="send")
    await rig.run(replaying.start, job, "li")
    await turn(rig, 3)
    assert (await shown(rig, job))["counts"][Item.SKIPPED] == 1
    assert len(await rig.open_letters()) == 1


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"step": "fly"}, "is not a step"),
        ({"ramp": [5, 1, 100]}, "rises to 100"),
        ({"ramp": [5, 50]}, "rises to 100"),
        ({"stop_at": 2.0}, "between 0 and 1"),
    ],
)
async def test_settings_that_make_no_sense(rig: Rig, settings: dict[str, Any], what: str) -> None:
    await refused(rig, 1)
    with pytest.raises(NotNow, match=what):
        await plan(rig, **settings)


async def test_a_version_that_is_not_there_and_a_filter_that_finds_nothing(rig: Rig) -> None:
    with pytest.raises(NotFound, match="no version"):
        await plan(rig, mapping_version="generic/order@0000")
    with pytest.raises(NotFound, match="no open dead letter"):
        await rig.run(replaying.plan, {"shop": "nowhere"}, "li")


async def test_live_orders_go_before_a_replay_which_keeps_its_share(rig: Rig) -> None:
    await refused(rig, 40)
    job = await plan(rig, ramp=[100])
    await rig.run(replaying.start, job, "li")
    await rig.run(replaying.turn, rig.hub.store.owner)
    rig.answer = lambda _request: ACCEPTS
    for number in range(40):
        await rig.push(order(f"LIVE{number}"))
    await rig.flow.translate()
    claimed = await rig.flow.claim("erp", 20)
    live = [row for row in claimed.rows if row["subject"].startswith("LIVE")]
    assert (len(live), len(claimed.rows)) == (18, 20)


async def test_what_is_tried_again_goes_behind_what_is_new(rig: Rig) -> None:
    rig.answer = lambda _request: httpx.Response(503)
    await rig.push(order("OLD"))
    await rig.flow.translate()
    await rig.deliver()
    (row,) = await rig.read(views.deliveries_list)
    assert (row["state"], row["queue"]) == (outbox.WAITING, 1)
    assert await rig.read(inbox.get, 1) is not None


SECOND = ONE.replace("retry =", 'sequence = "latest"\nretry =')


async def test_a_group_lives_with_its_letters(rig: Rig) -> None:
    from dlq import groups
    from hub import tending

    await refused(rig, 3)
    (group,) = await rig.read(groups.find)
    assert (group["state"], group["count"], group["total"], group["money"]) == ("open", 3, 3, {"CNY": "60.00"})
    await rig.run(tending.assign_group, group["fingerprint"][:6], "wang", "li")
    await rig.run(tending.note_group, group["fingerprint"], "asked the ERP's people", "li")
    (group,) = await rig.read(groups.find)
    assert (group["state"], group["owner"]) == ("assigned", "wang")
    assert {letter["owner"] for letter in await rig.open_letters()} == {"wang"}
    rig.answer = lambda _request: ACCEPTS
    await rig.run(desk.replay, [letter["id"] for letter in await rig.open_letters()], "li")
    await rig.work()
    assert await rig.read(groups.find) == []
    resolved = await rig.read(tending.group, group["fingerprint"])
    assert (resolved["state"], resolved["count"], resolved["money"]) == ("resolved", 0, {})
    assert resolved["notes"][0]["text"] == "asked the ERP's people"
    rig.answer = lambda _request: REFUSES
    await rig.push(order("AGAIN"))
    await rig.work()
    (group,) = await rig.read(groups.find)
    assert (group["state"], group["count"], group["total"]) == ("assigned", 1, 4)


async def test_an_ignored_group_stays_ignored(rig: Rig) -> None:
    from dlq import groups
    from dlq.life import Life
    from hub import tending

    await refused(rig, 1)
    (group,) = await rig.read(groups.find)
    await rig.run(tending.set_life, group["fingerprint"], Life.IGNORED, "li")
    await rig.push(order("ANOTHER"))
    await rig.work()
    assert await rig.read(groups.find) == []
    (group,) = await rig.read(groups.find, states=[Life.IGNORED])
    assert group["count"] == 2


async def test_groups_are_read_page_by_page(rig: Rig) -> None:
    from dlq import groups

    for number in range(7):
        await rig.push(order(f"W{number}", status=f"word_{'abcdefg'[number]}"))
    await rig.work()
    seen, after = [], ""
    while page := await rig.read(groups.find, after=after, limit=3):
        seen += [g["fingerprint"] for g in page]
        after = page[-1]["cursor"]
    assert len(seen) == len(set(seen)) == 7


async def test_a_replay_goes_on_at_once_after_a_restart(tmp_path: Path, sqlite_url: str) -> None:
    rig = Rig(tmp_path, sqlite_url)
    await refused(rig, 1)
    await rig.run(replaying.start, await plan(rig, ramp=[100]), "li")
    assert await rig.run(replaying.turn, "one that was killed") == 1
    rig.answer = lambda _request: httpx.Response(200)
    await rig.work()
    assert await rig.run(replaying.turn, rig.hub.store.owner) is None, "it is held by another"
    Workers(rig.hub, rig.flow, rig.http).take_over()
    assert await rig.run(replaying.turn, rig.hub.store.owner)
    await rig.close()
