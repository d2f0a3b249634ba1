"""A store and a time in, the alerts that are due then out; and what was delivered, kept so that nothing is told twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from analysis.ahead.alerts import Due, due, in_force, record_sentence
from analysis.pipeline.ahead import forecast, forecast_record, seen_at
from analysis.pipeline.moments import When, moment
from analysis.pipeline.opened import Where, reading, settings_in, store_at
from analysis.pipeline.reading import explanations
from analysis.schema import ALERTED, ALERTS
from analysis.store import marts, read

_AFTER = timedelta(milliseconds=1)
"""Periods are half open: this much later holds what happened at the time itself."""


def alerts(store: Where = None, *, at: When = None, clock: When = None, mark: bool = False) -> Due:
    """Return the alerts that are due: what is likely to turn worse, and what has, told neither before nor in quiet hours.

    Args:
        store: path of the store.
        at: as of then, from nothing later (the level that the past chose too); the latest event where None.
        clock: when it is sent, where that is later than the data: quiet hours, repeats and the age of the data go by it.
        mark: they are delivered: keep that, so that they are not due again. A sender that can fail calls ``mark_alerts`` after it sent them.

    Example:
        >>> due = lh.alerts()
        >>> all(message.lines for message in due.messages)
        True
    """
    then = moment(at)
    if then is None:
        chances, rests = forecast(store), forecast_record(store)
    else:
        seen = seen_at(store, then, back=True)
        chances, rests = seen.forecast, seen.rests_on
    with reading(store) as con:
        chosen, newest = settings_in(con), read.newest(con) if then is None else seen.newest
        sent_at = moment(clock) or then or newest
        told = read.alerted(con, until=sent_at)
    if sent_at is None:
        return Due(datetime(1970, 1, 1), in_force(chosen, rests)[0], pl.DataFrame(schema=ALERTS), 0, [])
    found = due(
        chances,
        explanations(store, since=sent_at - timedelta(hours=chosen.alert_news_hours), until=(then or sent_at) + _AFTER),
        told,
        at=sent_at,
        newest=newest,
        level=in_force(chosen, rests)[0],
        settings=chosen,
    )
    if mark:
        mark_alerts(store, found)
    return found


def mark_alerts(store: Where, delivered: Due) -> None:
    """Keep that alerts were delivered: the sender confirms, so that a failed delivery is due again. Twice is as once.

    Example:
        >>> lh.mark_alerts(None, lh.alerts())
        >>> lh.alerts().messages  # nothing is told twice
        []
    """
    if delivered.rows.is_empty() and not delivered.calmed:
        return  # writing copies the store
    with store_at(store).writer() as con:
        marts.calm_alerts(con, delivered.calmed, at=delivered.at)
        marts.keep_alerts(con, delivered.rows.select(c for c in ALERTED.names() if c != "calm_at"))


def alerted(store: Where = None) -> pl.DataFrame:
    """Return alerts that were delivered: ALERTED, in its order.

    Example:
        >>> lh.alerted().columns[:3]
        ['line', 'kind', 'at']
    """
    with reading(store) as con:
        return read.alerted(con)


def alert_record(store: Where = None) -> dict[str, Any]:
    """Return how right alerts would have been on the past weeks, at the level in force and at three others.

    Returns:
        level, level_from ("setting", "own past", "gate_risk"), weeks, worsenings (that could be tried), levels (of ``alerted_before``; empty
        with under 10 worsenings: too few to say), sentence.

    Example:
        >>> sorted(lh.alert_record())
        ['level', 'level_from', 'levels', 'sentence', 'weeks', 'worsenings']
    """
    rests = forecast_record(store)
    with reading(store) as con:
        level, level_from = in_force(settings_in(con), rests)
    past = rests.get("tried") or {"worsenings": 0, "weeks": 0}
    levels = (rests.get("record") or {}).get("alerts", [])
    found = {"level": level, "level_from": level_from, **past, "levels": levels}
    return {**found, "sentence": record_sentence(found)}
