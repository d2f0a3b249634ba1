"""Answers of the vendor's audit and the store in, the archive and the agreement with our explanations out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from analysis.errors import SourceError
from analysis.explain.agreement import KEYS, agreement_of, made_at, matched
from analysis.explain.constants import CONSTANTS
from analysis.pipeline.beside import audits_in
from analysis.pipeline.derive import derive
from analysis.pipeline.moments import now
from analysis.pipeline.opened import Where, reading, settings_in, store_at
from analysis.pipeline.reading import explanations
from analysis.sources import Pseudonyms, load_key
from analysis.sources.pseudonym import canonical_line
from analysis.store import marts

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


def keep_audit(answer: str | bytes | dict[str, Any] | Path, *, line: str | None = None, store: Where = None) -> str:
    """Archive one answer of the vendor's reputation audit, and bring the explanations up to date with it.

    Args:
        answer: the JSON as received (text, bytes, a decoded object, or a file that holds it).
        line: its line, where the answer does not name it (``phone``).
        store: path of the store.

    Returns:
        its audit_id. Chat ids are kept by the names that the store gives them; text for people is not looked at.

    Raises:
        SourceError: not an answer of an audit, or of no known line.
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
    target = store_at(store)
    with target.writer() as con:
        marts.keep_audit(
            con, told["audit_id"], canonical_line(number), status=status, at=at, document=json.dumps(_named(told))
        )
        derive(con, settings_in(con))
    return str(told["audit_id"])


def _named(told: dict[str, Any]) -> dict[str, Any]:
    """Return the answer with chat ids under the names that the store gives them."""
    people, report = Pseudonyms(load_key()), told.get("report")
    evidence = report.get("evidence") if isinstance(report, dict) else None
    if not isinstance(report, dict) or not isinstance(evidence, dict):
        return told
    kept = {}
    for name, chats in evidence.items():
        rows = (
            [c for c in chats if isinstance(c, dict) and isinstance(c.get("chat_id"), str)]
            if isinstance(chats, list)
            else []
        )
        ids = people.ids(pl.Series("chat_id", [c["chat_id"] for c in rows], dtype=pl.String)).to_list() if rows else []
        kept[name] = [c | {"chat_id": known} for c, known in zip(rows, ids, strict=True)]
    return told | {"report": report | {"evidence": kept}}


def agreement(store: Where = None, *, line: str | None = None) -> pl.DataFrame:
    """Return how often the vendor's audits and our explanations agree, per driver of the vendor's: AGREEMENT."""
    with reading(store) as con:
        audits = audits_in(con, line=line)
    pairs = matched(explanations(store, line=line), audits)
    rows = {key: dict.fromkeys(("agree", "differ", "cannot tell", "vendor_named", "we_named"), 0) for key in KEYS}
    for e, audit in pairs:
        for row in agreement_of(e, audit)["rows"]:
            of = rows[row["vendor_driver"]]
            of[row["verdict"]] += 1
            of["vendor_named"] += row["vendor_rank"] is not None
            of["we_named"] += row["our_share"] >= CONSTANTS.audit_named
    return pl.DataFrame([{"vendor_driver": key, **of} for key, of in rows.items()], schema=AGREEMENT)
