"""Facts of an open store in, its marts out (signals, timeline, explanations): the heart of the flow, each stage named once.

Where a merge says what it changed, only what rests on that is made again; the marts are those of a full recompute, row for row
(tests/store/test_increments.py).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from analysis.logs import Told, stage, timed
from analysis.memory import give_back
from analysis.pipeline.ahead import keep_ahead, look_ahead
from analysis.pipeline.counting import count_again
from analysis.pipeline.due import due
from analysis.pipeline.explaining import explain_again
from analysis.pipeline.looks import keep_looks
from analysis.pipeline.moments import now
from analysis.pipeline.steps import Progress, Step
from analysis.settings import Settings
from analysis.signals import gaps as silences
from analysis.signals import health as timeline
from analysis.store import marts, read, touched
from analysis.store.connect import bounded, refresh_mb
from analysis.store.touched import Touched


def derive(con: Any, chosen: Settings, progress: Progress | None = None, *, full: bool = False) -> dict[str, int]:
    """Bring every mart up to date with the facts; returns the number of lines, line-days and transitions.

    Args:
        con: a store open for writing.
        chosen: see Settings.
        progress: is told of each stage.
        full: all of it from scratch, not only what rests on what was merged since the marts were made.
    """
    with timed("refreshed", full=full) as told, bounded(con, refresh_mb(con)):
        found = _derive(con, chosen, progress or (lambda step: None), told, full=full)
        told |= found
    return found


def _derive(con: Any, chosen: Settings, tell: Progress, told: dict[str, Told], *, full: bool) -> dict[str, int]:
    tell(Step("signals"))
    seen_by_pull = keep_looks(con, chosen)
    as_of = read.as_of(con)
    at = as_of or now()
    changes = read.changes(con)
    spells, transitions = timeline.spells(changes), timeline.transitions(changes)
    with stage(told, "counting"):
        found = due(con, Touched(whole=True) if full else touched.kept(con), spells, as_of=at, settings=chosen)
        count_again(con, found, spells, as_of=at, settings=chosen, tell=tell)
    give_back()
    was = read.transitions(con)
    if found.whole or found.earliest is not None:
        marts.replace(con, "spell", spells)
        marts.replace(con, "transition", transitions)
    with stage(told, "gaps"):
        lost = silences.gaps(read.activity(con), as_of=at, settings=chosen)
    was_lost = read.gaps(con)
    marts.replace(con, "gap", lost)
    with ThreadPoolExecutor(1) as beside:
        ahead = partial(look_ahead, con, found, spells, transitions, lost, was_lost, at=at, settings=chosen)
        # from scratch both are large: one after the other
        looked = None if found.whole else beside.submit(ahead())
        with stage(told, "explaining"):
            explained = explain_again(
                con, found, spells, transitions, was, lost, was_lost, seen_by_pull, as_of=at, settings=chosen, tell=tell
            )
        give_back()
        with stage(told, "ahead"):
            keep_ahead(con, looked.result() if looked else ahead()(), transitions, explained)
    marts.set_meta(con, read.AS_OF, as_of.isoformat() if as_of else "")
    marts.set_meta(con, read.WAITING, str(read.waiting(con)))
    touched.forget(con)
    lines, days = con.execute("select count(distinct line), count(*) from signal_day").fetchall()[0]
    return {"lines": lines, "days": days, "transitions": transitions.height}
