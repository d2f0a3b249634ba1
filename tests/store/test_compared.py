"""What becomes of rows that tell the same messages, beside the rule said row by row."""

import random
from datetime import datetime, timedelta

import polars as pl

from analysis.schema import INSTANT
from analysis.store.compared import FIELDS, compared

TIMES = {"sent_at", "seen_at", "delivered_at", "read_at", "failed_at"}
SCHEMA = {c: INSTANT if c in TIMES else pl.Boolean if c == "is_group" else pl.String for c in FIELDS}


def _row(draw, message_id):
    def cell(c):
        if draw.random() < 0.6:
            return None
        if c in TIMES:
            return datetime(2026, 11, 1) + timedelta(hours=draw.randrange(2))
        return draw.random() < 0.5 if c == "is_group" else draw.choice("ab")

    return {"message_id": message_id, **{c: cell(c) for c in FIELDS}}


def _adds(row, old):
    def more(c):
        if c == "is_group":
            return (row[c] is not None and old[c] is None) or (row[c] and not old[c])
        return row[c] is not None and (old[c] is None or row[c] < old[c])

    return any(more(c) for c in FIELDS)


def _one_by_one(rows, known):
    told, merged, seen = {}, {}, set()
    for row in sorted(rows, key=lambda r: (r["source_no"], r["position"])):
        m, whole, old = row["message_id"], tuple(row[c] for c in ("message_id", *FIELDS)), known.get(row["message_id"])
        if whole in seen:
            outcome = "duplicates"
        elif old is None:
            outcome = "merged" if m in merged else "inserted"
        else:
            outcome = "merged" if _adds(row, old) else "duplicates"
        told[row["source_no"], row["position"]] = outcome
        seen.add(whole)
        before = merged.setdefault(m, dict.fromkeys(FIELDS))
        for c in FIELDS:
            said = [v for v in (before[c], row[c]) if v is not None]
            before[c] = (max if c == "is_group" else min)(said, default=None)
    return told, merged


def test_rows_come_out_as_one_by_one():
    draw = random.Random(11)
    for _ in range(60):
        ids = [f"m{n}" for n in range(draw.randrange(1, 9))]
        rows = [_row(draw, draw.choice(ids)) for _ in range(draw.randrange(1, 30))]
        rows += [dict(draw.choice(rows)) for _ in range(draw.randrange(8))]
        draw.shuffle(rows)
        rows = [{"source_no": draw.randrange(2), "position": n, **row} for n, row in enumerate(rows)]
        known = {m: {"row_no": n, **_row(draw, m)} for n, m in enumerate(ids) if draw.random() < 0.4}
        numbers = {"source_no": pl.Int32, "position": pl.Int64, "message_id": pl.String}
        told, merged = compared(
            pl.DataFrame(draw.sample(rows, len(rows)), schema=numbers | SCHEMA),
            pl.DataFrame(list(known.values()), schema={"row_no": pl.Int64, "message_id": pl.String} | SCHEMA),
        )
        outcomes, messages = _one_by_one(rows, known)
        assert {(r["source_no"], r["position"]): r["outcome"] for r in told.to_dicts()} == outcomes
        assert told.height == len(rows)
        got = {r.pop("message_id"): r for r in merged.to_dicts()}
        assert got == {m: f | {"row_no": known.get(m, {}).get("row_no")} for m, f in messages.items()}
        assert merged.height == len(messages)
