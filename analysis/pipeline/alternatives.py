"""A past transition and the store in, what its line would show had a burst, a pace or follow-ups not been, and what has been done since, out."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from analysis.errors import UsageError
from analysis.explain.progress import progress_of
from analysis.explain.whatif import altered, scenario_of, told_signals, words_of
from analysis.pipeline.moments import When, instant, moment
from analysis.pipeline.opened import Where, reading, settings_in
from analysis.pipeline.reading import explanations
from analysis.schema import SEVERITY, Explanation
from analysis.signals import panel
from analysis.store import read, read_measured


def _worsening(store: Where, line: str, at: When, *, where: str, kind: str | None = None) -> Explanation:
    """Return the explanation of the worsening (of a kind) at a time, or of a line's latest one."""
    since = until = None
    if (then := moment(at)) is not None:
        since = then.replace(microsecond=then.microsecond // 1000 * 1000)
        until = since + timedelta(milliseconds=1)
    told = explanations(store, line=line, since=since, until=until)
    worse = [e for e in told if SEVERITY[e.new] > SEVERITY.get(e.previous or "", 0) and kind in (None, e.kind)]
    if not worse:
        raise UsageError("no worsening of this line here", where=where, fix="`linehealth explain` lists them")
    return worse[-1]


def what_if(store: Where = None, *, line: str, at: When = None) -> list[dict[str, Any]]:
    """Return what a line would have shown before a worsening without a burst, at its usual pace, without late follow-ups.

    The messages of the line are altered (sends left out, with the replies to them) and its signals of the week up to the change
    recomputed by their own definitions, as of the change. Associations in this model: what the vendor would have done is not known.

    Args:
        store: path of the store.
        line: E.164.
        at: time of the worsening; the latest one where not given.

    Returns:
        per scenario: name, text, sends left out, pressure before and after with low and high (80 %), signals (signal, before, after).

    Raises:
        UsageError: the line has no worsening (then).

    Example:
        >>> tried = lh.what_if(line="+13125550103", at="2026-10-13T18:16:41Z")
        >>> len(tried) > 0
        True
    """
    e = _worsening(store, line, at, where="what-if")
    when = instant(e.at)
    with reading(store) as con:
        chosen = settings_in(con)
        known = read.messages(con, line=line).filter(pl.col("at") <= when)
        chats, health, spells = (
            read.chats(con, line=line),
            read.chat_health(con, line=line),
            read.spells(con, line=line),
        )
    health = health.filter(pl.col("at") <= when).join(known.select("chat_id").unique(), on="chat_id", how="semi")

    def signals(messages: pl.DataFrame) -> pl.DataFrame:
        return panel.signals(messages, chats, health, spells, as_of=when, settings=chosen)

    before, found = signals(known), []
    for kept in e.what_if:
        after = signals(altered(known, chats, health, scenario_of(kept), chosen))
        found.append({"line": line, "at": e.at, **kept, "signals": told_signals(before, after, when, chosen.zone)})
    return found


def progress(
    store: Where = None, *, line: str, at: When = None, kind: str | None = None, until: When = None
) -> list[dict[str, Any]]:
    """Return the steps of a worsening's playbook with what the data since then shows of each.

    Args:
        store: path of the store.
        line: E.164.
        at: time of the worsening; the latest one where not given.
        kind: "health" or "status", where both may have changed then; with it, what is kept is found without a look at explanations.
        until: up to then; where not given, up to the line's return to health, else to the store's latest event.

    Returns:
        the actions, each with done (true, false, or null where the data cannot tell yet) and since (one line of figures).

    Example:
        >>> {step["done"] for step in lh.progress(line="+13125550103")} <= {True, False, None}
        True
    """
    if until is None and kind is not None and (kept := _kept(store, line, moment(at), kind)) is not None:
        return kept
    e = _worsening(store, line, at, where="progress", kind=kind)
    when = instant(e.at)
    if until is None and (kept := _kept(store, line, when, e.kind)) is not None:
        return kept
    with reading(store) as con:
        chosen, end = settings_in(con), moment(until) or _back(store, e) or read.newest(con) or when
        known = read.messages(con, line=line).filter(pl.col("at") <= end)
        chats, health = read.chats(con, line=line), read.chat_health(con, line=line)
    return progress_of(e, known, chats, health, since=when, until=end, settings=chosen)


def _kept(store: Where, line: str, at: datetime | None, kind: str) -> list[dict[str, Any]] | None:
    """Return the steps of a worsening as they were kept at the last refresh; None where they are not kept."""
    with reading(store) as con:
        found = None if at is None else read_measured.progress_document(con, line=line, at=at, kind=kind)
    return None if found is None else json.loads(found)


def _back(store: Where, e: Explanation) -> datetime | None:
    """Return when the line was healthy (or active) again after a worsening."""
    later = [
        o.at
        for o in explanations(store, line=e.line)
        if o.kind == e.kind and o.at > e.at and o.new in ("HEALTHY", "ACTIVE")
    ]
    return instant(min(later)) if later else None


def changed_signals(signals: list[dict[str, Any]]) -> str:
    """Return the signals of a scenario as a line of words, before and after."""
    return words_of(signals) or "no signal of the week changes"
