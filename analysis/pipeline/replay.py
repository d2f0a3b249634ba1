"""A line, a period of its past and a rule in; its chance of turning worse as it was and with the rule, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from analysis.ahead.altered import Altered, Rule, altered, opened_in
from analysis.ahead.features import known_by_hour
from analysis.ahead.forecast import TRAIN_DAYS
from analysis.ahead.model import TICK_HOURS, YOUNG_DAYS, Model, labelled, learned
from analysis.ahead.replay_words import Asked, beyond_data, limits, sentences, title, verdict
from analysis.ahead.replayed import ARRANGEMENTS, held, looked_at, replayed
from analysis.errors import UsageError
from analysis.pipeline.moments import When, iso, moment
from analysis.pipeline.opened import Where, reading, settings_in
from analysis.settings import Settings
from analysis.signals import panel
from analysis.store import read

WEEK = timedelta(days=7)
MOST_DAYS, MOST_LINES = 60, 20
"""A period, and the days openers are spread over, are no longer than this; nor are there more lines to open on."""


@dataclass(frozen=True)
class Replay:
    """A what-if on real history: REPLAY hour by hour, and the record with its sentences."""

    rows: pl.DataFrame
    record: dict[str, Any]


@dataclass(frozen=True)
class Facts:
    """What is read of a store: the lines concerned whole, of the fleet only its marts from before the period."""

    messages: pl.DataFrame
    chats: pl.DataFrame
    chat_health: pl.DataFrame
    spells: pl.DataFrame
    transitions: pl.DataFrame
    fleet: pl.DataFrame
    newest: datetime
    settings: Settings


def replay(
    store: Where = None,
    *,
    line: str,
    since: When = None,
    until: When = None,
    spread: int | None = None,
    cap: int | None = None,
    lines: Sequence[str] | None = None,
    stop_after: int | None = None,
) -> Replay:
    """Return how a line's chance of turning worse changes where its past is altered by one rule.

    The messages are altered (whole conversations moved, or late follow-ups left out), every signal counted again from them, and the
    chance told by the model as it was learned before the period: associations in this model, no promise of what the vendor does.

    Args:
        store: path of the store.
        line: E.164.
        since: begin of the period, UTC; a week before the line's last fall where neither end is given, or of its data.
        until: its end, not part of it.
        spread: open the period's new conversations evenly over so many days; none before its own time.
        cap: open at most so many a day (of the store's zone); the rest on the next day with room.
        lines: open them in turn on this line and these others, healthy all through the period.
        stop_after: leave out sends after so many unanswered turns.

    Returns:
        Replay: REPLAY of the lines concerned, and the record: rule, counts, worst hour by line, falls expected, verdict, title,
        sentences, limits.

    Raises:
        UsageError: not one rule; an unknown line; a period under a day or outside the data; nothing that the rule would change; a
            line that is critical, or known for under a week, when the period begins; another line that was not healthy.

    Example:
        >>> spread = lh.replay(line="+13125550103", since="2026-10-08", until="2026-10-15", spread=7)
        >>> spread.rows.columns[:4]
        ['line', 'hour', 'p_before', 'p_after']
    """
    rule = _rule(spread, cap, lines, stop_after)
    with reading(store) as con:
        settings = settings_in(con)
        _known_lines(con, line, rule)
        begin, end = _period(con, line, since, until)
        facts = _read(con, (line, *rule.lines), settings)
    return replay_of(facts, line, rule, begin, end)


def replay_of(facts: Facts, line: str, rule: Rule, begin: datetime, end: datetime) -> Replay:
    """Return the same from facts that are read already.

    Args:
        facts: of the lines concerned, and the fleet's marts.
        line: whose past is altered.
        rule: by what.
        begin: of the period, UTC.
        end: of the period, not part of it.

    Raises:
        UsageError: see ``replay``.
    """
    facts = _narrowed(facts, (line, *rule.lines))
    _fit_for(facts, line, rule, begin, end)
    first = _altered(facts, rule, line, begin, end, None)
    _changes_anything(first, facts, rule, line, begin, end)
    stop = looked_at(first.moved, end, facts.newest)
    model = _model(facts, begin)
    spells = held(facts.spells, begin)
    orders: list[int | None] = [None]
    if rule.what != "stop_after":
        orders += range(1, len(rule.lines) + 1) if rule.lines else range(1, ARRANGEMENTS + 1)
    sides = [first, *(_altered(facts, rule, line, begin, end, seed) for seed in orders[1:])]
    before = _known(facts, facts.messages, facts.chats, facts.chat_health, spells, stop)
    after = [_known(facts, s.messages, s.chats, s.chat_health, spells, stop) for s in sides]
    found = replayed(before, after, model, since=begin, until=stop)
    asked = Asked(
        line,
        rule,
        begin,
        end,
        stop,
        facts.newest,
        _first_fall(facts, line, begin, stop),
        first,
        found,
        model,
        facts.settings,
    )
    return Replay(found.rows, _record(asked))


def _rule(spread: int | None, cap: int | None, lines: Sequence[str] | None, stop_after: int | None) -> Rule:
    given = {"spread": spread, "cap": cap, "over_lines": lines or None, "stop_after": stop_after}
    named = [(what, value) for what, value in given.items() if value is not None]
    if len(named) != 1:
        raise UsageError("one rule at a time", where="replay", fix="give spread, cap, lines or stop_after")
    what, value = named[0]
    if not isinstance(value, int):
        others = tuple(dict.fromkeys(value or ()))
        if len(others) > MOST_LINES:
            raise UsageError("too many lines", where="replay", fix=f"name at most {MOST_LINES}")
        return Rule("over_lines", lines=others)
    most = MOST_DAYS if what == "spread" else 100_000
    if not 1 <= value <= most:
        raise UsageError("the number is out of range", where=what, fix=f"give 1 to {most:,}")
    return Rule(what, value)


def _known_lines(con: Any, line: str, rule: Rule) -> None:
    for one in (line, *rule.lines):
        if not read.knows_line(con, one):
            raise UsageError("no such line in the store", where=one, fix="`linehealth signals` lists them")
    if line in rule.lines:
        raise UsageError("a line can't take over its own conversations", where=line, fix="name other lines")


def _period(con: Any, line: str, since: When, until: When) -> tuple[datetime, datetime]:
    """Return the period, checked against the line's data; by default the week before the line's last fall, or of its data."""
    rows = read.lines(con).filter(pl.col("line") == line)
    first, newest = rows["first_at"][0], read.as_of(con)
    if first is None or newest is None:
        raise UsageError("there is no message of this line", where=line, fix="load messages of it first")
    begin, end = moment(since), moment(until)
    if begin is None and end is None:
        falls = read.transitions(con, line=line).filter(pl.col("kind") == "health", pl.col("worsening"))
        first_steps = falls.filter(pl.col("previous").fill_null("HEALTHY") == "HEALTHY")
        told = (first_steps if first_steps.height else falls)["at"]
        end = told[-1] if len(told) else newest
    if begin is None:
        begin = max((end or newest) - WEEK, first)
    if end is None:
        end = min(begin + WEEK, newest)
    if end - begin < timedelta(days=1) or end - begin > timedelta(days=MOST_DAYS):
        raise UsageError(
            f"the period must be 1 to {MOST_DAYS} days long", where="replay", fix="move its begin or its end"
        )
    if begin < first or end > newest + timedelta(days=1):
        raise UsageError(
            "the period lies outside the line's data",
            where=line,
            fix=f"choose from {iso(first)} to {iso(newest)}",
        )
    return begin, min(end, newest)


def _read(con: Any, lines: tuple[str, ...], settings: Settings) -> Facts:
    messages = pl.concat([read.messages(con, line=one) for one in lines])
    chats = pl.concat([read.chats(con, line=one) for one in lines])
    newest = read.newest(con)
    assert newest is not None
    return Facts(
        messages,
        chats,
        pl.concat([read.chat_health(con, line=one) for one in lines]),
        read.spells(con),
        read.transitions(con),
        read.signals(con, "hour"),
        newest,
        settings,
    )


def _narrowed(facts: Facts, lines: tuple[str, ...]) -> Facts:
    """Keep messages and chats of the lines concerned only."""
    mine = pl.col("line").is_in(lines)
    return replace(facts, messages=facts.messages.filter(mine), chats=facts.chats.filter(mine))


def _fit_for(facts: Facts, line: str, rule: Rule, begin: datetime, end: datetime) -> None:
    """Refuse what nothing can be said of, and lines that could not have taken anything."""
    for one in (line, *rule.lines):
        first: Any = facts.messages.filter(pl.col("line") == one)["at"].min()
        if first is None or begin - first < timedelta(days=YOUNG_DAYS):
            told = "known for less than a week when the period begins"
            raise UsageError(told, where=one, fix="choose a later period" if one == line else "name other lines")
    states = facts.spells.filter(
        pl.col("start_at").is_null() | (pl.col("start_at") < end),
        pl.col("end_at").is_null() | (pl.col("end_at") > begin),
    )
    at_begin = held(states, begin).filter(
        pl.col("line") == line, pl.col("end_at").is_null(), pl.col("kind") == "health"
    )
    if "CRITICAL" in at_begin["state"].to_list():
        raise UsageError(
            "critical when the period begins: it cannot turn worse", where=line, fix="choose an earlier or later period"
        )
    for other in rule.lines:
        seen = set(states.filter(pl.col("line") == other)["state"])
        if "HEALTHY" not in seen or seen - {"HEALTHY", "ACTIVE"}:
            raise UsageError(
                "not healthy all through the period: it can take nothing new", where=other, fix="name healthy lines"
            )


def _altered(facts: Facts, rule: Rule, line: str, begin: datetime, end: datetime, seed: int | None) -> Altered:
    return altered(
        facts.messages,
        facts.chats,
        facts.chat_health,
        rule,
        line=line,
        since=begin,
        until=end,
        settings=facts.settings,
        seed=seed,
    )


def _changes_anything(first: Altered, facts: Facts, rule: Rule, line: str, begin: datetime, end: datetime) -> None:
    """Refuse a rule that leaves everything where it is: two equal curves would look like a finding."""
    if rule.what == "stop_after":
        if not first.left_out:
            told = f"no send of the period comes after {rule.number} unanswered turns"
            raise UsageError(told, where=line, fix="choose another period, or a smaller number")
        return
    if not first.opened:
        raise UsageError(
            "the line opened no new conversation in the period", where=line, fix="choose another period or line"
        )
    if first.moved.is_empty():
        new = opened_in(facts.messages, facts.chats, line=line, settings=facts.settings)
        inside = new.filter(pl.col("at") >= begin, pl.col("at") < end)["at"]
        days = inside.dt.replace_time_zone("UTC").dt.convert_time_zone(facts.settings.timezone).dt.date()
        most = int(days.value_counts()["count"].max())  # type: ignore[arg-type]
        raise UsageError(
            "the rule would move nothing",
            where=line,
            fix=f"its busiest day of the period opened {most:,}: ask for less",
        )


def _model(facts: Facts, begin: datetime) -> Model:
    """Learn from the whole fleet, from nothing later than the period's begin."""
    past = facts.fleet.filter(
        pl.col("hour") > begin - timedelta(days=TRAIN_DAYS), pl.col("hour") + timedelta(hours=1) <= begin
    )
    told = facts.transitions.filter(pl.col("at") <= begin)
    last = begin - timedelta(hours=1)  # the last hour that is over
    ticks = labelled(known_by_hour(past, held(facts.spells, begin), as_of=last, every=TICK_HOURS), told)
    return learned(ticks, at=begin, hours=24)


def _known(
    facts: Facts,
    messages: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    spells: pl.DataFrame,
    stop: datetime,
) -> pl.DataFrame:
    """Count the signals of the lines concerned, and what was known of them at the end of every hour."""
    hours = panel.signals(
        messages.filter(pl.col("at") <= facts.newest),
        chats,
        chat_health.filter(pl.col("at") <= facts.newest),
        spells.filter(pl.col("line").is_in(messages["line"].unique().implode())),
        as_of=facts.newest,
        settings=facts.settings,
        grain="hour",
    )
    return known_by_hour(hours, spells, as_of=stop, fleet=facts.fleet)


def _first_fall(facts: Facts, line: str, begin: datetime, stop: datetime) -> tuple[datetime, str] | None:
    falls = facts.transitions.filter(
        pl.col("line") == line,
        pl.col("kind") == "health",
        pl.col("worsening"),
        pl.col("at") > begin,
        pl.col("at") <= stop,
    )
    return (falls["at"][0], falls["new"][0]) if falls.height else None


def _record(a: Asked) -> dict[str, Any]:
    rule = {"over_lines": list(a.rule.lines)} if a.rule.lines else {a.rule.what: a.rule.number}
    return {
        "line": a.line,
        "since": iso(a.since),
        "until": iso(a.until),
        "looked_at_until": iso(a.end),
        "rule": rule,
        "opened": a.altered.opened,
        "moved": a.altered.moved.height,
        "beyond_data": beyond_data(a.altered.moved, a.newest),
        "left_out": a.altered.left_out,
        "replies_left_out": a.altered.replies_left_out,
        "falls": a.found.falls.as_json(),
        "worst": {one: c.as_json() for one, c in a.found.worst.items()},
        "worsenings": a.model.worsenings,
        "gate_risk": a.settings.gate_risk,
        "fell_at": iso(a.fell[0]) if a.fell else None,
        "verdict": verdict(a),
        "title": title(a),
        "sentences": sentences(a),
        "limits": limits(a),
    }
