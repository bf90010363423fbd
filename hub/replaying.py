"""Replays under control: a plan that costs nothing, then stage by stage, at a rate, until enough died again to stop.

A job lives in the store (dlq.replay): any worker takes it up, a restart goes on where it was. What it sends on waits
in the replay queue, behind live orders and with a share of its own.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlq import Step, replay
from dlq.replay import Item, Job, Mark
from hub import clock, desk, throttle
from hub.desk import NotFound, NotNow
from hub.host import HOST
from hub.store import Connection, audit, mappings, views

WINDOW = 200
"""Letters of one replay that are under way at most."""
ENOUGH = 20
"""Letters of a stage that must have ended before a share of them can stop the replay early."""
STEPS = ("", *(step.value for step in Step if step is not Step.UNPACK))
LEASE = 30.0
BUSY = 0.5
"""The part of one processor that a process may use before a replay without a rate slows down."""


def plan(
    connection: Connection,
    wanted: Mapping[str, Any],
    actor: str,
    *,
    step: str = "",
    mapping_version: str = "",
    rate: float | None = None,
    ramp: Sequence[int] = replay.RAMP,
    stop_at: float = 0.2,
) -> dict[str, Any]:
    """Freeze a list of open letters and say what replaying it would mean. Nothing is sent yet.

    Raises NotFound where no letter fits, NotNow where the settings make no sense.
    """
    _check(connection, step, mapping_version, ramp, stop_at)
    now = clock.now().timestamp()
    settings = {
        "step": step, "mapping_version": mapping_version, "rate": rate, "stop_at": stop_at,
        "ramp": "[" + ",".join(map(str, ramp)) + "]",
    }  # fmt: skip
    number = replay.create(connection, wanted, settings, actor, now)
    found = replay.summary(connection, number)
    total = sum(found["causes"].values())
    if not total:
        raise NotFound("no open dead letter fits", hint="hub dlq list shows the open ones")
    already = views.ended_deliveries_of_replay(connection, number)
    found |= {"letters": total, "already_delivered": already, "in_doubt": found["causes"].get("delivery.in_doubt", 0)}
    replay.keep_plan(connection, number, found)
    audit.write(connection, now, actor, "replay.planned", f"replay {number}", f"{total} letters")
    return show(connection, number)


def again(connection: Connection, number: int, actor: str) -> dict[str, Any]:
    """Plan the letters that died again in a replay, with its settings."""
    job = show(connection, number)
    dead = [row["letter_id"] for row in replay.results(connection, number, limit=10**6, state=Item.DIED_AGAIN)]
    if not dead:
        raise NotFound(f"nothing died again in replay {number}", hint=f"hub dlq report {number}")
    kept = {name: job[name] for name in ("step", "mapping_version", "rate", "ramp", "stop_at")}
    return plan(connection, {"ids": dead}, actor, **kept)


def _check(connection: Connection, step: str, version: str, ramp: Sequence[int], stop_at: float) -> None:
    if step not in STEPS:
        raise NotNow(f"{step!r} is not a step to go on from", hint=f"one of {', '.join(s for s in STEPS if s)}")
    rises = all(a < b for a, b in itertools.pairwise(ramp))
    if not ramp or ramp[-1] != 100 or not rises or ramp[0] < 1:
        raise NotNow("a ramp rises to 100", hint="such as 1,5,20,100; or 100 for all at once")
    if not 0 <= stop_at <= 1:
        raise NotNow("the share at which to stop lies between 0 and 1", hint="such as 0.2")
    if version and mappings.by_version(connection, version) is None:
        raise NotFound(f"no version {version} is kept", hint="hub mapping versions NAME")


def show(connection: Connection, number: int) -> dict[str, Any]:
    """A replay as it stands. Raises NotFound."""
    found = replay.get(connection, number)
    if found is None:
        raise NotFound(f"there is no replay {number}", hint="hub dlq replays lists them")
    return found


def start(connection: Connection, number: int, actor: str) -> dict[str, Any]:
    """Let a planned or paused replay run. What died again so far does not count towards its next stop."""
    job = show(connection, number)
    died = job["counts"][Item.DIED_AGAIN]
    values = {
        "started_at": job["started_at"] or clock.now().timestamp(),
        "reason": "",
        "died_before": died,
        "ended_before": died + job["counts"][Item.WENT_THROUGH],
    }
    _turn_to(connection, number, Job.RUNNING, (Job.PLANNED, Job.PAUSED), actor, "started", **values)
    return show(connection, number)


def pause(connection: Connection, number: int, actor: str, why: str = "") -> dict[str, Any]:
    """Take no more letters; what is under way goes on."""
    reason = why or f"paused by {actor}"
    _turn_to(connection, number, Job.PAUSED, (Job.RUNNING,), actor, "paused", reason=reason[:300])
    return show(connection, number)


def cancel(connection: Connection, number: int, actor: str) -> dict[str, Any]:
    """End a replay: letters whose turn has not come stay open."""
    now = clock.now().timestamp()
    alive = (Job.PLANNED, Job.RUNNING, Job.PAUSED)
    _turn_to(connection, number, Job.CANCELLED, alive, actor, "cancelled", ended_at=now)
    return show(connection, number)


def _turn_to(
    connection: Connection, number: int, to: Job, states: Sequence[Job], actor: str, act: str, **values: Any
) -> None:
    now = clock.now().timestamp()
    if not replay.change(connection, number, states, now, state=to, **values):
        raise NotNow(f"replay {number} is {show(connection, number)['state']}", hint=f"hub dlq report {number}")
    audit.write(connection, now, actor, f"replay.{act}", f"replay {number}", str(values.get("reason", "")))


class Pace:
    """How many letters a turn may let go where nobody named a rate: what this process has idle.

    Each turn looks at how much of one processor the process has used since the last: a little more goes while that is
    less than BUSY, a third less otherwise. Orders of the day come first, whatever a replay could do.
    """

    def __init__(
        self, used: Callable[[], tuple[float, float]] = lambda: (HOST.get().processor_time(), clock.tick())
    ) -> None:
        self._used, self._letters = used, 1.0
        self._before = used()

    def next(self) -> int:
        """Letters for this turn."""
        now = self._used()
        spent, passed = now[0] - self._before[0], now[1] - self._before[1]
        self._before = now
        idle = spent < BUSY * passed
        self._letters = min(self._letters + 0.5, WINDOW) if idle else max(self._letters * 0.67, 1.0)
        return int(self._letters)


def turn(connection: Connection, owner: str, most: int = WINDOW) -> int | None:
    """One step of one running replay: settle what ended, then let the next ones go, `most` of them where no rate was
    named. Returns how many moved; None where no replay runs, or others have it."""
    now = clock.now().timestamp()
    job = replay.lease(connection, now, now + LEASE, owner)
    if job is None:
        return None
    settled = _settle(connection, job, now)
    moved = _go_on(connection, job, WINDOW if job["rate"] else most, now)
    replay.keep_tally(connection, job["id"], job["tally"])
    return settled + moved


def _settle(connection: Connection, job: Mapping[str, Any], now: float) -> int:
    done = []
    for row in replay.going(connection, job["id"]):
        if row["now"] == "replaying":
            continue
        if row["now"] == "open":
            state, why = Item.DIED_AGAIN, row["title"]
        elif row["now"] == "discarded":
            state, why = Item.SKIPPED, "discarded meanwhile"
        else:
            state, why = Item.WENT_THROUGH, row["closed_why"]
        done.append(Mark(row["letter_id"], state, why[:300], done_at=now))
    _mark(connection, job, Item.GOING, done)
    return len(done)


def _mark(connection: Connection, job: Mapping[str, Any], before: Item, marks: Sequence[Mark]) -> None:
    replay.mark(connection, job["id"], marks)
    job["tally"].subtract({before.value: len(marks)})
    job["tally"].update(str(mark.state) for mark in marks)


def _go_on(connection: Connection, job: Mapping[str, Any], most: int, now: float) -> int:
    number, total, tally = job["id"], job["total"], job["tally"]
    going, left = tally[Item.GOING], tally[Item.WAITING]
    died, through = tally[Item.DIED_AGAIN], tally[Item.WENT_THROUGH]
    allowed = math.ceil(total * job["ramp"][job["stage"]] / 100)
    taken, ended = total - left, died + through
    stage_over = going == 0 and (taken >= allowed or left == 0)
    bad, tried = died - job["died_before"], ended - job["ended_before"]
    if bad and bad > job["stop_at"] * tried and (stage_over or tried >= min(allowed, ENOUGH)):
        reason = f"{bad} of {tried} died again, more than {job['stop_at']:.0%}"
        replay.change(connection, number, (Job.RUNNING,), now, state=Job.PAUSED, reason=reason)
        audit.write(connection, now, "hub", "replay.stopped", f"replay {number}", reason)
        return 0
    if left == 0 and going == 0:
        replay.change(connection, number, (Job.RUNNING,), now, state=Job.DONE, ended_at=now)
        audit.write(connection, now, "hub", "replay.done", f"replay {number}", f"{through} through, {died} died again")
        return 0
    if stage_over:
        replay.change(connection, number, (Job.RUNNING,), now, stage=job["stage"] + 1)
        return 1
    return _take(connection, job, min(allowed - taken, WINDOW - going, most), now)


def _take(connection: Connection, job: Mapping[str, Any], most: int, now: float) -> int:
    bucket = None if job["tokens"] is None else throttle.Bucket(job["tokens"], job["tokens_at"])
    granted, after = throttle.take(bucket, job["rate"], max(most, 0), now)
    if granted <= 0:
        return 0
    rows = replay.waiting(connection, job["id"], granted)
    if job["rate"]:
        kept = throttle.Bucket(after.tokens + granted - len(rows), now)
        replay.change(connection, job["id"], (Job.RUNNING,), now, tokens=kept.tokens, tokens_at=kept.at)
    sent = desk.send_on(connection, [row["id"] for row in rows], job["step"], job["mapping_version"], now)
    marks = []
    for row in rows:
        why = sent.left_out.get(row["id"])
        state = Item.GOING if why is None else Item.SKIPPED
        marks.append(Mark(row["id"], state, why or "", row["died"], now, None if why is None else now))
    _mark(connection, job, Item.WAITING, marks)
    acts = [("letter.replayed", f"letter {i}", f"replay {job['id']}") for i in sent.letters]
    audit.write_all(connection, now, job["created_by"], acts)
    return len(rows)
