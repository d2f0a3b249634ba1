"""An open store in, the vendor's complete audits out, and explanations with the audit of the same spell beside each."""

from __future__ import annotations

from typing import Any

import msgspec

from analysis.explain.agreement import Audit, agreement_of, audit_of, matched
from analysis.schema import Explanation
from analysis.store import read


def audits_in(con: Any, *, line: str | None = None) -> list[Audit]:
    """Return the complete audits of an open store."""
    found = [audit_of(*row) for row in read.audits(con, line=line)]
    return [audit for audit in found if audit is not None]


def with_agreement(found: list[Explanation], audits: list[Audit]) -> list[Explanation]:
    """Return explanations with the vendor's audit of the same spell beside each that has one."""
    told = {(e.line, e.at): agreement_of(e, audit) for e, audit in matched(found, audits)}
    return [
        msgspec.structs.replace(e, agreement=told[e.line, e.at]) if e.kind == "health" and (e.line, e.at) in told else e
        for e in found
    ]
