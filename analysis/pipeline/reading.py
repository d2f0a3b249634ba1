"""A store in, frames and explanations out: what the app, notebooks, reports and the command line show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import polars as pl

from analysis.errors import UsageError
from analysis.pipeline.beside import audits_in, with_agreement
from analysis.pipeline.moments import When, iso, moment
from analysis.pipeline.opened import Where, reading, settings_in, store_at
from analysis.schema import SIGNALS_DAY, SIGNALS_HOUR, Explanation
from analysis.settings import Settings
from analysis.store import read, read_sources


def settings(store: Where = None) -> Settings:
    """Return the settings in force for a store.

    Example:
        >>> lh.settings().reply_window_hours
        24.0
    """
    with reading(store) as con:
        return settings_in(con)


def settings_or_default(store: Where = None) -> Settings:
    """Return the settings in force, or the defaults where there is no store yet."""
    return settings(store) if store_at(store).exists() else Settings()


def snapshot(store: Where = None) -> str:
    """Return a word that changes whenever the store's content does; empty where there is no store."""
    return store_at(store).snapshot()


def fingerprint(store: Where = None) -> str:
    """Return a word for what a store was made of: the same files, settings, actions and audits give the same, however they were loaded.

    Example:
        >>> len(lh.fingerprint())
        16
    """
    with reading(store) as con:
        return hashlib.sha256("\n".join(read_sources.contents(con)).encode()).hexdigest()[:16]


def signals(
    store: Where = None,
    *,
    grain: Literal["day", "hour"] = "day",
    line: str | None = None,
    since: When = None,
    until: When = None,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return the signals of contract.md, section 3: SIGNALS_DAY (key line, day) or SIGNALS_HOUR (key line, hour).

    ``since`` and ``until`` bound the day or hour, the first included, the second not; text is ISO 8601, UTC where it names no zone.
    With ``columns`` only these, beside the key: a big store's hours have millions of rows.

    Example:
        >>> days = lh.signals(line="+13125550103", since="2026-10-12", until="2026-10-15")
        >>> days["new_conversations"].arg_max()  # the second of the three days had the burst
        1
    """
    if grain not in ("day", "hour"):
        raise UsageError("grain must be day or hour", where="signals")
    unknown = set(columns or ()) - set(SIGNALS_DAY if grain == "day" else SIGNALS_HOUR)
    if unknown:
        raise UsageError(f"there is no such column: {', '.join(sorted(unknown))}", where="signals")
    with reading(store) as con:
        return read.signals(con, grain, line=line, since=moment(since), until=moment(until), columns=columns)


def spells(store: Where = None, *, line: str | None = None) -> pl.DataFrame:
    """Return time in each state of health and status: SPELLS.

    Example:
        >>> lh.spells(line="+13125550103").filter(kind="health")["state"].head(3).to_list()
        ['HEALTHY', 'AT_RISK', 'HEALTHY']
    """
    with reading(store) as con:
        return read.spells(con, line=line)


def transitions(
    store: Where = None, *, line: str | None = None, since: When = None, until: When = None
) -> pl.DataFrame:
    """Return changes of health and status: TRANSITIONS, key (line, at, kind).

    Example:
        >>> changed = lh.transitions(line="+13125550103").filter("worsening")
        >>> changed["new"].to_list()
        ['AT_RISK', 'AT_RISK']
    """
    with reading(store) as con:
        return read.transitions(con, line=line, since=moment(since), until=moment(until))


def explanations(
    store: Where = None, *, line: str | None = None, since: When = None, until: When = None
) -> list[Explanation]:
    """Return why each transition happened, oldest first (contract.md, section 7), with the vendor's audit beside it where one is stored."""
    with reading(store) as con:
        documents = read.explanation_documents(con, line=line, since=moment(since), until=moment(until))
        audits = audits_in(con, line=line)
    decode = msgspec.json.Decoder(Explanation).decode
    found = [decode(d) for d in documents]
    return with_agreement(found, audits) if audits else found


def lines(store: Where = None) -> pl.DataFrame:
    """Return one row a line: line, health, status, since, first_at, last_at, messages, transitions.

    Example:
        >>> lh.lines().filter(health="CRITICAL")["line"].to_list()
        ['+14155550105']
    """
    with reading(store) as con:
        return read.lines(con)


def messages(store: Where = None, *, line: str | None = None, since: When = None, until: When = None) -> pl.DataFrame:
    """Return placed messages (metadata only): MESSAGES.

    Example:
        >>> sent = lh.messages(line="+13125550103", since="2026-10-13", until="2026-10-14")
        >>> "text" in sent.columns  # metadata only, and no plain recipient
        False
    """
    with reading(store) as con:
        return read.messages(con, line=line, since=moment(since), until=moment(until))


def openers(store: Where = None, *, line: str, since: When, until: When) -> pl.DataFrame:
    """Return the opening sends of new conversations in [since, until): at, chat_id, answered (null: failed, or too young to say).

    Example:
        >>> opened = lh.openers(line="+13125550103", since="2026-10-13", until="2026-10-14")
        >>> opened.height > 50
        True
    """
    start, end = moment(since), moment(until)
    if start is None or end is None:
        raise UsageError("openers needs since and until", where="openers")
    with reading(store) as con:
        return read.openers(con, line=line, since=start, until=end)


def failures(store: Where = None, *, line: str, since: When, until: When) -> pl.DataFrame:
    """Return failed sends in [since, until) by UTC hour and code: hour, failure_code, failed.

    Example:
        >>> failed = lh.failures(line="+13125550103", since="2026-11-08", until="2026-11-12")
        >>> failed.columns[-2:]
        ['failure_code', 'failed']
    """
    start, end = moment(since), moment(until)
    if start is None or end is None:
        raise UsageError("failures needs since and until", where="failures")
    with reading(store) as con:
        return read.failures(con, line=line, since=start, until=end)


def sources(store: Where = None) -> pl.DataFrame:
    """Return the files loaded: counts, what was ignored, notes, first and last event, and how many events were told late.

    ``timed`` message events say both when they happened and when the vendor made them (webhook deliveries with their envelope); of these
    ``late_1h`` and ``late_24h`` were made that much later. Null for files loaded by a version that did not count them.

    Example:
        >>> lh.sources()["kind"].unique().sort().to_list()
        ['chats', 'messages', 'transitions', 'webhook']
    """
    with reading(store) as con:
        return read_sources.sources(con).with_columns(
            pl.col("notes").map_elements(lambda t: "; ".join(json.loads(t)), return_dtype=pl.String)
        )


def quarantine(store: Where = None) -> pl.DataFrame:
    """Return refused rows: source, position, kind, reason, fix, loaded_at.

    Example:
        >>> lh.quarantine().height
        13
    """
    with reading(store) as con:
        return read_sources.quarantine(con)


def status(store: Where = None) -> dict[str, Any]:
    """Return what the store holds and how fresh it is.

    Example:
        >>> lh.status()["counts_by_health"]["CRITICAL"]
        1
    """
    target = store_at(store)
    with target.reader() as con:
        totals, as_of, chosen, kept = read_sources.totals(con), read.newest(con), settings_in(con), read.settings(con)
        by_line = read.lines(con)
    return {
        "store": str(target.path),
        "size_bytes": target.path.stat().st_size,
        "snapshot": target.snapshot(),
        "as_of": iso(as_of),
        "timezone": chosen.timezone,
        **{k: iso(v) if isinstance(v, datetime) else v for k, v in totals.items()},
        "lines": by_line.height,
        "counts_by_health": {
            h: by_line.filter(pl.col("health").is_null() if h == "unknown" else pl.col("health") == h).height
            for h in ("HEALTHY", "AT_RISK", "CRITICAL", "unknown")
        },
        "flagged": by_line.filter(pl.col("status") == "FLAGGED").height,
        "settings": kept,
    }
