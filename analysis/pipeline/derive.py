"""Facts of an open store in, its marts out (signals, timeline, explanations): the heart of the flow, each stage named once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from analysis.explain.agreement import recalibrated
from analysis.explain.histories import Histories
from analysis.explain.history import LineHistory
from analysis.explain.measure import measured
from analysis.explain.progress import progress_in
from analysis.explain.verdict import explained
from analysis.pipeline.ahead import RECORD, Foreseen, foresee
from analysis.pipeline.beside import audits_in
from analysis.pipeline.history import keep_history
from analysis.pipeline.looks import keep_looks, with_looks
from analysis.pipeline.moments import instant, now
from analysis.pipeline.shards import shards
from analysis.pipeline.steps import Progress, Step
from analysis.schema import (
    ACTIVITY,
    CHAT_STATE,
    DELIVERY_DAY,
    FAILURE_HOURS,
    LINE_TOTALS,
    OPENERS,
    SIGNALS_DAY,
    SIGNALS_HOUR,
    Explanation,
)
from analysis.settings import Settings
from analysis.signals import delivery, panel
from analysis.signals import gaps as silences
from analysis.signals import health as timeline
from analysis.signals.chats import chat_state, moved
from analysis.signals.judged import judge
from analysis.signals.totals import failure_hours, line_totals, opening_sends
from analysis.store import marts, read

_MARTS = ("signal_day", "signal_hour", "chat_state", "delivery_day", "line_total", "opener", "failure_hour")
_SCHEMAS = dict(
    zip(
        (*_MARTS, "activity"),
        (SIGNALS_DAY, SIGNALS_HOUR, CHAT_STATE, DELIVERY_DAY, LINE_TOTALS, OPENERS, FAILURE_HOURS, ACTIVITY),
        strict=True,
    )
)


def derive(con: Any, chosen: Settings, progress: Progress | None = None) -> dict[str, int]:
    """Compute every mart from the facts; returns the number of lines, line-days and transitions."""
    tell = progress or (lambda step: None)
    tell(Step("signals"))
    seen_by_pull = keep_looks(con, chosen)
    as_of = read.as_of(con)
    changes = read.changes(con)
    spells_, transitions_ = timeline.spells(changes), timeline.transitions(changes)
    at = as_of or now()
    counted = _counted(con, spells_, at, chosen, tell)
    marts.replace(con, "spell", spells_)
    marts.replace(con, "transition", transitions_)
    lost = silences.gaps(counted.activity, as_of=at, settings=chosen)
    marts.replace(con, "gap", lost)
    histories = counted.histories.built(lost) if transitions_.height else {}
    known = measured(
        histories,
        spells_,
        transitions_,
        as_of=at,
        settings=chosen,
        progress=lambda done, total: tell(Step("explaining", done=done / total)),
    )
    found = with_looks(explained(known), seen_by_pull)
    marts.replace(con, "explanation", _explanation_rows(recalibrated(found, audits_in(con))))
    seen = foresee(counted.hours, spells_, transitions_, at=at, newest=at, settings=chosen, back=True)
    _keep_ahead(con, seen)
    keep_history(con, seen.past, counted.hours, transitions_, found, until=seen.learned_at)
    marts.set_meta(con, read.AS_OF, as_of.isoformat() if as_of else "")
    marts.set_meta(con, read.WAITING, str(read.waiting(con)))
    return {
        "lines": counted.hours["line"].n_unique(),
        "days": counted.days,
        "transitions": transitions_.height,
    }


@dataclass
class _Counted:
    """What one pass over the messages gives, beside the marts that it fills."""

    hours: pl.DataFrame
    days: int
    activity: pl.DataFrame
    histories: Histories


def _counted(con: Any, spells: pl.DataFrame, at: datetime, chosen: Settings, tell: Progress) -> _Counted:
    """Fill the marts that count messages, a group of lines at a time: memory does not grow with the fleet."""
    firsts, chats, chat_health = read.chat_firsts(con), read.chats(con), read.chat_health(con)
    moved_here = moved(firsts)
    of_lines = firsts.select("line", "chat_id")
    tables: dict[str, list[pl.DataFrame]] = {name: [] for name in (*_MARTS, "activity")}
    histories = Histories(chosen)
    groups = shards(firsts)
    for done, lines in enumerate(groups):
        here = of_lines.filter(pl.col("line").is_in(pl.Series(lines).implode())).select("chat_id").unique()
        messages = read.messages(con, lines=lines)
        health, own = (frame.join(here, on="chat_id", how="semi") for frame in (chat_health, chats))
        judged = judge(messages, own, health, as_of=at, settings=chosen, also=delivery.ALSO)
        states = chat_state(judged, own, settings=chosen, moved_here=moved_here)
        tables["signal_day"].append(panel.counted(judged, spells, settings=chosen, grain="day"))
        tables["signal_hour"].append(panel.counted(judged, spells, settings=chosen, grain="hour"))
        tables["chat_state"].append(states)
        tables["delivery_day"].append(delivery.delivery_day(judged, states, settings=chosen))
        tables["line_total"].append(line_totals(messages))
        tables["opener"].append(opening_sends(judged))
        tables["failure_hour"].append(failure_hours(messages))
        tables["activity"].append(silences.activity_of(messages))
        histories.add(messages, own, health)
        tell(Step("signals", done=(done + 1) / len(groups)))
    whole = {
        name: pl.concat(parts) if parts else pl.DataFrame(schema=schema)
        for (name, schema), parts in zip(_SCHEMAS.items(), tables.values(), strict=True)
    }
    for name in _MARTS:
        marts.replace(con, name, whole[name])
    return _Counted(whole["signal_hour"], whole["signal_day"].height, whole["activity"], histories)


def _keep_ahead(con: Any, seen: Foreseen) -> None:
    """Keep what is likely next and what may still be sent, as of the latest event."""
    marts.replace(con, "forecast", seen.forecast)
    marts.replace(con, "gate", seen.gate)
    marts.set_meta(con, RECORD, json.dumps(seen.rests_on, default=str))


def _progress_rows(
    found: list[Explanation], histories: dict[str, LineHistory], at: datetime, chosen: Settings
) -> pl.DataFrame:
    """Return what the data since each worsening shows of its steps: up to the line's return to health, else to the latest event."""
    back: dict[tuple[str, str], datetime] = {}
    rows = []
    for e in reversed(found):  # latest first: what comes after each is known
        when = instant(e.at)
        if e.new in ("HEALTHY", "ACTIVE"):
            back[e.line, e.kind] = when
        elif e.actions:
            until = back.get((e.line, e.kind), at)
            steps = progress_in(e, histories.get(e.line), since=when, until=until, settings=chosen)
            rows.append((e.line, when, e.kind, json.dumps(steps, ensure_ascii=False)))
    return pl.DataFrame(rows, schema=marts.PROGRESS, orient="row").sort("line", "at", "kind")


def _explanation_rows(found: list[Explanation]) -> pl.DataFrame:
    rows = [
        (
            e.line,
            instant(e.at),
            e.kind,
            e.drivers[0].driver,
            e.headline,
            instant(e.onset) if e.onset else None,
            e.confidence,
            msgspec.json.encode(e).decode(),
        )
        for e in found
    ]
    return pl.DataFrame(rows, schema=marts.EXPLANATIONS, orient="row")
