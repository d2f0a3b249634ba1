"""Facts of an open store in, its marts out (signals, timeline, explanations): the heart of the flow, each stage named once."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import polars as pl

from analysis.explain import explain
from analysis.explain.agreement import recalibrated
from analysis.pipeline.ahead import RECORD, foresee
from analysis.pipeline.beside import audits_in
from analysis.pipeline.moments import instant, now
from analysis.pipeline.steps import Progress, Step
from analysis.schema import Explanation
from analysis.settings import Settings
from analysis.signals import delivery, panel
from analysis.signals import gaps as silences
from analysis.signals import health as timeline
from analysis.signals.chats import chat_state
from analysis.signals.judged import judge
from analysis.store import marts, read


def derive(con: Any, chosen: Settings, progress: Progress | None = None) -> dict[str, int]:
    """Compute every mart from the facts; returns the number of lines, line-days and transitions."""
    tell = progress or (lambda step: None)
    tell(Step("signals"))
    as_of = read.as_of(con)
    changes = read.changes(con)
    spells_, transitions_ = timeline.spells(changes), timeline.transitions(changes)
    messages_, chats_, chat_health_ = read.messages(con), read.chats(con), read.chat_health(con)
    judged = judge(messages_, chats_, chat_health_, as_of=as_of or now(), settings=chosen, also=delivery.ALSO)
    days = panel.counted(judged, spells_, settings=chosen, grain="day")
    marts.replace(con, "signal_day", days)
    tell(Step("signals", done=0.5))
    hours = panel.counted(judged, spells_, settings=chosen, grain="hour")
    marts.replace(con, "signal_hour", hours)
    states = chat_state(judged, chats_, settings=chosen)
    marts.replace(con, "chat_state", states)
    marts.replace(con, "delivery_day", delivery.delivery_day(judged, states, settings=chosen))
    tell(Step("signals", done=1.0))
    marts.replace(con, "spell", spells_)
    marts.replace(con, "transition", transitions_)
    lost = silences.gaps(silences.activity_of(messages_), as_of=as_of or now(), settings=chosen)
    marts.replace(con, "gap", lost)
    found = explain(
        messages_,
        chats_,
        chat_health_,
        spells_,
        transitions_,
        as_of=as_of or now(),
        settings=chosen,
        gaps=lost,
        progress=lambda done, total: tell(Step("explaining", done=done / total)),
    )
    marts.replace(con, "explanation", _explanation_rows(recalibrated(found, audits_in(con))))
    _keep_ahead(con, hours, spells_, transitions_, as_of or now(), chosen)
    return {
        "lines": days["line"].n_unique(),
        "days": days.height,
        "transitions": transitions_.height,
    }


def _keep_ahead(
    con: Any, hours: pl.DataFrame, spells: pl.DataFrame, transitions: pl.DataFrame, at: Any, chosen: Settings
) -> None:
    """Keep what is likely next and what may still be sent, as of the latest event."""
    seen = foresee(hours, spells, transitions, at=at, newest=at, settings=chosen, back=True)
    marts.replace(con, "forecast", seen.forecast)
    marts.replace(con, "gate", seen.gate)
    marts.set_meta(con, RECORD, json.dumps(seen.rests_on, default=str))


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
