"""Answers of the vendor's audit and the store in, the archive and the agreement with our explanations out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from analysis.errors import SourceError
from analysis.explain.agreement import KEYS, Audit, agreement_of, made_at, matched
from analysis.explain.constants import CONSTANTS
from analysis.pipeline.beside import audits_in
from analysis.pipeline.derive import derive
from analysis.pipeline.moments import iso, now
from analysis.pipeline.opened import Where, reading, settings_in, store_at
from analysis.pipeline.reading import explanations
from analysis.schema import CHAT_HEALTHS, HEALTHS, Explanation
from analysis.sources import Pseudonyms, load_key
from analysis.sources.pseudonym import canonical_line
from analysis.store import marts, read

_KEYS = (*KEYS, "low_engagement")
_IMPACTS = ("high", "medium", "low")
_MOST = 1_000_000
"""A larger number is no count; it may be a phone number."""
AGREEMENT = pl.Schema(
    {
        "vendor_driver": pl.String,
        "agree": pl.Int64,
        "differ": pl.Int64,
        "cannot tell": pl.Int64,
        "vendor_named": pl.Int64,
        "we_named": pl.Int64,
    }
)
"""One row a driver of the vendor's, key vendor_driver: on how many matched audits both agreed."""
AGREEMENT_MONTHLY = pl.Schema([("month", pl.String()), *AGREEMENT.items()])
"""The same per month of the audit (2026-09, UTC), key (month, vendor_driver)."""


def keep_audit(answer: str | bytes | dict[str, Any] | Path, *, line: str | None = None, store: Where = None) -> str:
    """Archive one answer of the vendor's reputation audit, and bring the explanations up to date with it.

    Args:
        answer: the JSON as received (text, bytes, a decoded object, or a file that holds it).
        line: its line, where the answer does not name it (``phone``).
        store: path of the store.

    Returns:
        its audit_id. Keys, states, counts and times are kept, and chat ids by the names that the store gives them; no text is.

    Raises:
        SourceError: not an answer of an audit, or of no known line.

    Example:
        >>> answer = {"audit_id": "a1", "status": "complete", "phone": "+13125550103", "generated_at": "2026-10-13T20:00:00Z",
        ...           "report": {"severity": "AT_RISK", "drivers": [{"key": "new_conversation_rate"}]}}
        >>> _ = lh.keep_audit(answer)
        >>> lh.agreement().filter(vendor_driver="new_conversation_rate")["agree"].item()
        1
    """
    if isinstance(answer, Path):
        answer = answer.read_bytes()
    try:
        told = answer if isinstance(answer, dict) else json.loads(answer)
    except ValueError:
        raise SourceError("not JSON", where="audit", fix="give the body of the answer unchanged") from None
    told = told.get("body", told) if isinstance(told, dict) else told
    if not isinstance(told, dict) or not isinstance(told.get("audit_id"), str) or "status" not in told:
        raise SourceError("not an answer of a reputation audit", where="audit", fix="it has audit_id and status")
    number = told.get("phone") or line
    if not isinstance(number, str):
        raise SourceError("the answer names no line", where="audit", fix="say which: line=…")
    at = made_at(told.get("generated_at")) or now()
    status = told["status"] if told["status"] in ("pending", "complete", "error") else "error"
    people = Pseudonyms(load_key())
    audit_id = str(people.ids(pl.Series([told["audit_id"]], dtype=pl.String))[0])
    target = store_at(store)
    with target.writer() as con:
        if not read.knows_line(con, canonical_line(number)):
            raise SourceError("the answer names no line of this store", where="audit", fix="load its messages first")
        document = json.dumps({"audit_id": audit_id, "status": status} | _kept(told, people))
        marts.keep_audit(con, audit_id, canonical_line(number), status=status, at=at, document=document)
        derive(con, settings_in(con))
    return audit_id


def _kept(told: dict[str, Any], people: Pseudonyms) -> dict[str, Any]:
    """Return of an answer what an archive may hold: known keys and states, counts and times, and chats by the store's names; no text."""
    report, at = told.get("report"), made_at(told.get("generated_at"))
    found: dict[str, Any] = {"generated_at": iso(at)} if at is not None else {}
    if not isinstance(report, dict):
        return found
    evidence = report.get("evidence")
    kept: dict[str, Any] = _one_of(report, "severity", HEALTHS) | _key(report, "primary_driver")
    kept |= {
        "drivers": [_key(row, "key") for row in _rows(report, "drivers")],
        "action_items": [
            _number(row, "priority") | _one_of(row, "expected_impact", _IMPACTS)
            for row in _rows(report, "action_items")
        ],
        "evidence": {name: _chats(_rows(evidence, name), people) for name in ("unhealthy_chats", "opt_out_chats")},
    }
    return found | {"report": kept}


def _chats(rows: list[dict[str, Any]], people: Pseudonyms) -> list[dict[str, Any]]:
    rows = [row for row in rows if isinstance(row.get("chat_id"), str)]
    ids = people.ids(pl.Series("chat_id", [row["chat_id"] for row in rows], dtype=pl.String)).to_list()
    return [
        {"chat_id": known} | _one_of(row, "status", CHAT_HEALTHS) | _number(row, "messages_after_stop") | _keys(row)
        for row, known in zip(rows, ids, strict=True)
    ]


def _one_of(row: dict[str, Any], name: str, words: tuple[str, ...]) -> dict[str, str]:
    """Return a field that holds one of some words; anything else may be text or a person."""
    value = row.get(name)
    return {name: value} if isinstance(value, str) and value in words else {}


def _key(row: dict[str, Any], name: str) -> dict[str, str]:
    """Return a field that holds a driver's key; one that this version does not know is "other"."""
    value = row.get(name)
    return {name: value if value in ("", *_KEYS) else "other"} if isinstance(value, str) else {}


def _keys(row: dict[str, Any]) -> dict[str, list[str]]:
    told = row.get("driver_keys")
    keys = [key if key in _KEYS else "other" for key in told if isinstance(key, str)] if isinstance(told, list) else []
    return {"driver_keys": keys} if keys else {}


def _number(row: dict[str, Any], name: str) -> dict[str, int]:
    value = row.get(name)
    return {name: value} if isinstance(value, int) and abs(value) < _MOST else {}


def _rows(of: Any, name: str) -> list[dict[str, Any]]:
    rows = of.get(name) if isinstance(of, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def agreement(store: Where = None, *, line: str | None = None, monthly: bool = False) -> pl.DataFrame:
    """Return how often the vendor's audits and our explanations agree, per driver of the vendor's.

    Args:
        store: path of the store.
        line: only this one.
        monthly: also per month (UTC) of the audit: AGREEMENT_MONTHLY, months that have a matched audit, oldest first.

    Returns:
        AGREEMENT, a row for every driver.

    Example:
        >>> lh.agreement().columns[:4]
        ['vendor_driver', 'agree', 'differ', 'cannot tell']
    """
    with reading(store) as con:
        audits = audits_in(con, line=line)
    pairs = matched(explanations(store, line=line), audits)
    if not monthly:
        return _counted(pairs)
    months = sorted({f"{audit.at:%Y-%m}" for _, audit in pairs})
    parts = [
        _counted([pair for pair in pairs if f"{pair[1].at:%Y-%m}" == month]).select(
            pl.lit(month).alias("month"), pl.all()
        )
        for month in months
    ]
    return pl.concat([pl.DataFrame(schema=AGREEMENT_MONTHLY), *parts])


def _counted(pairs: list[tuple[Explanation, Audit]]) -> pl.DataFrame:
    rows = {key: dict.fromkeys(("agree", "differ", "cannot tell", "vendor_named", "we_named"), 0) for key in KEYS}
    for e, audit in pairs:
        for row in agreement_of(e, audit)["rows"]:
            of = rows[row["vendor_driver"]]
            of[row["verdict"]] += 1
            of["vendor_named"] += row["vendor_rank"] is not None
            of["we_named"] += row["our_share"] >= CONSTANTS.audit_named
    return pl.DataFrame([{"vendor_driver": key, **of} for key, of in rows.items()], schema=AGREEMENT)
