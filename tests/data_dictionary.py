"""The schema's comments in, ``docs/dictionary.md`` out: ``python -m tests.data_dictionary`` writes it anew.

What a column means is told by the first of: DuckDB's comment on it, the same column's in the table under the view, the comment beside it in
``analysis/schema.py``, and the words that downloads use (``analysis/pages/_columns.py``).
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import analysis
from analysis import schema
from analysis.pages._columns import COLUMNS, RATES
from analysis.store import Store

PAGE = Path(analysis.__file__).resolve().parent.parent / "docs" / "dictionary.md"
SOURCE = Path(schema.__file__).read_text()
UNDER = {
    "actions": "action", "chats": "chat", "chat_states": "chat_state", "deliveries": "delivery_day", "failures_by_hour": "failure_hour",
    "line_totals": "line_total", "messages": "message", "openers": "opener", "signals_day": "signal_day", "signals_hour": "signal_hour",
    "transitions": "transition",
}  # fmt: skip
"""The table under each view."""
FRAMES = {
    "actions": "ACTIONS", "chats": "CHATS", "chat_states": "CHAT_STATE", "deliveries": "DELIVERY_DAY", "messages": "MESSAGES",
    "transitions": "TRANSITIONS", "gate": "GATE", "forecast": "FORECAST", "gap": "GAPS", "spell": "SPELLS", "change": "CHANGES",
}  # fmt: skip
TOLD = {
    "message_id": "the vendor's id, or a name made from the row where it has none",
    "chat_id": "the vendor's id of the conversation; (line, recipient) where the export has none",
    "direction": "outbound or inbound",
    "sent_at": "earliest sent time told, else received or created time",
    "delivered_at": "earliest delivery told",
    "read_at": "earliest read receipt told",
    "failed_at": "earliest failure told; a delivery wins over it",
    "service": "iMessage, RCS, SMS or other; null where no event told it",
    "is_group": "more than one person on the other side",
    "hour": "begin of the hour, UTC",
    "worsening": "for the worse",
    "at": "when it happened",
    "changed_at": "when the vendor changed the state",
    "first_at": "earliest time told",
    "last_at": "latest time told",
    "messages": "messages sent and received",
    "sends": "messages sent",
    "answered": "whether a reply came within the reply window; null where it failed or is too young",
    "mature": "sends, not failed, old enough to have been answered",
    "replied": RATES,
    "received": "messages that the person wrote; of a line: sends with a receipt",
    "kind": "health or status; of an action what was done; of a waiting event what it is",
    "known_at": "when it became known",
    "key": "name",
    "value": "as text",
    "loaded_at": "when it was loaded",
    "source_id": "fingerprint of the file",
    "start_at": "begin; null: since before the first report",
    "end_at": "end; null: still so",
    "waiting": "events",
    "source": "hand or csv",
    "events": "events of this kind",
    "recipient": "keyed pseudonym of the person",
    "trace_id": "the vendor's trace id of a failure, for its support",
    "acted_at": "when the action began",
    "audit_id": "keyed name of the audit",
    "requested_at": "when it was asked for",
    "answered_at": "when its answer came",
    "previous_health": "health before; null where no report told it",
    "new_health": "health after; null where only the status changed",
    "previous_status": "status before; null where no report told it",
    "new_status": "status after; null where only the health changed",
    "onset": "when the main cause left its usual range; null where that cannot be dated",
    "document": "JSON of `linehealth explain`, one change",
    "forecast_at": "as of when",
    "gate_at": "as of when",
    "ordinal": "which of several refusals of one row",
    "path": "the file as it was named at the load",
    "created_at": "when the vendor says the chat was created",
}  # fmt: skip
"""The last resort: names that mean one thing everywhere and have no words anywhere else."""
VIEWS = """
select view_name, comment from duckdb_views() where comment is not null and not internal
union all
select table_name, comment from duckdb_tables() where table_name in ('change', 'spell', 'gap', 'chat_health', 'explanation', 'forecast', 'gate', 'quarantine', 'source', 'setting', 'audit')
order by 1
"""


def _beside(frame: str) -> dict[str, str]:
    """Return the comments beside the columns of a schema of schema.py."""
    found = re.search(rf"^{frame} = pl\.Schema\(\n?(.*?)^\)|^{frame} = pl\.Schema\((.*)\)$", SOURCE, re.S | re.M)
    body = (found[1] or found[2] or "") if found else ""
    return dict(re.findall(r'"(\w+)": [^#\n]*?,?  # (.+)', body))


def meaning(name: str, column: str, comments: dict[tuple[str, str], str | None]) -> str:
    """Return what a column of a view or table means; empty where nothing says it."""
    words = COLUMNS.get(column, ("", ""))
    told = (
        comments.get((name, column))
        or comments.get((UNDER.get(name, ""), column))
        or _beside(FRAMES.get(name, "-")).get(column)
        or TOLD.get(column)
        or (f"{words[0]} ({words[1]})" if words[0] and words[1] else words[0])
    )
    told = re.sub(r"\bof ([A-Z]+(?:_[A-Z]+)*)\b", lambda m: "one of " + ", ".join(getattr(schema, m[1])), told or "")
    return told[:1].upper() + told[1:]


def rows(con) -> dict[str, tuple[str, list[tuple[str, str, str]]]]:
    """Return each view and table for people with its comment and its columns: name, type, meaning."""
    comments = {
        (t, c): told
        for t, c, told in con.sql("select table_name, column_name, comment from duckdb_columns()").fetchall()
    }
    kinds = con.sql(
        "select table_name, column_name, data_type from duckdb_columns() where not internal order by column_index"
    ).fetchall()
    found = {}
    for name, comment in con.sql(VIEWS).fetchall():
        found[name] = (comment, [(c, kind.lower(), meaning(name, c, comments)) for t, c, kind in kinds if t == name])
    return found


def page(con) -> str:
    """Return the whole page."""
    parts = [
        "# Data dictionary",
        "",
        "Every view and table that you may ask, from the comments in the store itself (`python -m tests.data_dictionary` writes this page, and a test "
        "holds it against the schema). Instants are UTC with milliseconds. Formulas are in [Method](method.md); what can be loaded is in "
        "[Your exports](exports.md). No table holds a message's text or a person's number.",
        "",
    ]
    for name, (comment, columns) in rows(con).items():
        parts += [f"## {name}", "", comment, "", "| column | type | meaning |", "| --- | --- | --- |"]
        parts += [f"| `{c}` | {kind} | {told.replace('|', '/')} |" for c, kind, told in columns]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "empty.duckdb")
        with store.writer():
            pass
        with store.reader() as con:
            PAGE.parent.mkdir(exist_ok=True)
            PAGE.write_text(page(con))
            for name, (_, columns) in rows(con).items():
                for c, _, told in columns:
                    if not told:
                        print("no meaning:", name, c)  # noqa: T201
