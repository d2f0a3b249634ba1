"""Columns of a foreign table in, raw rows in ours out: which table it is by its columns, foreign names by a mapping."""

from __future__ import annotations

import polars as pl

from analysis.errors import SourceError
from analysis.sources.facts import RAW_CHANGES, RAW_CHATS, RAW_MESSAGES
from analysis.sources.mapping import TABLE_COLUMNS, Mapping

BLOCK_ROWS = 100_000
LONGEST_CELL = 1000
"""Characters kept of a cell: one of more than 400 bytes is refused, and a block must fit in memory."""

# the vendor's own names, flattened or not, beside ours; first match wins, then the next fills its gaps
_MESSAGE = {
    "message_id": ("message_id", "id", "message.id"),
    "line": ("line", "phone_number", "chat.owner_handle.handle", "owner_handle.handle", "owner_handle"),
    "chat_id": ("chat_id", "chat.id"),
    "recipient": ("recipient",),
    "direction": ("direction",),
    "sent_at": ("sent_at", "message.sent_at"),
    "seen_at": ("received_at", "created_at", "message.created_at"),
    "delivered_at": ("delivered_at",),
    "read_at": ("read_at",),
    "failed_at": ("failed_at",),
    "failure_code": ("failure_code", "code"),
    "service": ("service",),
    "is_group": ("is_group", "chat.is_group"),
    "fingerprint": ("fingerprint",),
    "trace_id": ("trace_id",),
    "chat_health": ("chat.health_status.status",),
    "chat_health_at": ("chat.health_status.updated_at",),
}
_CHANGE = {
    "line": ("line", "phone_number"),
    "changed_at": ("changed_at",),
    "previous_health": ("previous_health", "previous_reputation", "previous_health_status"),
    "new_health": ("new_health", "new_reputation", "new_health_status"),
    "previous_status": ("previous_status",),
    "new_status": ("new_status",),
}
_CHAT = {
    "chat_id": ("chat_id", "id"),
    "line": ("line", "phone_number"),
    "recipient": ("recipient",),
    "is_group": ("is_group",),
    "created_at": ("created_at",),
    "health": ("health", "health_status", "health_status.status"),
    "health_updated_at": ("health_updated_at", "health_status.updated_at"),
}
_ALIASES = {"messages": _MESSAGE, "transitions": _CHANGE, "chats": _CHAT}
_RAW = {"messages": RAW_MESSAGES, "transitions": RAW_CHANGES, "chats": RAW_CHATS}
_MAPPED = {"messages": {"received_at": "seen_at"}}
_SENDER = ("from", "from_handle.handle", "sender_handle.handle")
_TARGET = ("recipient_phone", "recipient_handle.handle")


class Table:
    """How one table's columns become ours: found once from its header, applied to every block of rows.

    Raises:
        SourceError: the columns are those of none of our tables, or a mapped column is not there.
    """

    def __init__(self, header: list[str], mapping: Mapping | None, where: str) -> None:
        self.mapping = mapping if mapping and mapping.applies_to(header) else None
        names = {h.strip().removeprefix("data."): h for h in reversed(header)}
        given = dict(self.mapping.columns) if self.mapping else {}
        absent = sorted(theirs for theirs in given.values() if theirs not in header)
        if absent:
            raise SourceError(
                f"the mapping names {', '.join(absent)}, which is not among the columns",
                where=where,
                fix="correct [columns] in the mapping file",
            )
        constants = dict(self.mapping.constants) if self.mapping else {}
        self.columns: dict[str, dict[str, list[str]]] = {}
        for table, aliases in _ALIASES.items():
            renamed = _MAPPED.get(table, {})
            mine = {renamed.get(ours, ours): [theirs] for ours, theirs in given.items()}
            taken = {t for ts in mine.values() for t in ts}
            self.columns[table] = mine | {
                ours: [names[a] for a in theirs if a in names and names[a] not in taken]
                for ours, theirs in aliases.items()
                if ours not in mine
                and ours not in constants
                and any(a in names and names[a] not in taken for a in theirs)
            }
        self.constants = {_MAPPED["messages"].get(k, k) if k == "received_at" else k: v for k, v in constants.items()}
        self.sender = next((names[c] for c in _SENDER if c in names), None)
        self.target = next((names[c] for c in _TARGET if c in names), None)
        self.from_me = names.get("is_from_me")
        named = self.mapping.file.table if self.mapping else None
        self.kind = named or self._recognise(where, header)
        lacking = self._lacking(self.kind)
        if lacking:
            raise SourceError(
                f"this looks like a table of {self.kind}, but {lacking}",
                where=where,
                fix="export the column, or name it in a mapping file (--map)",
            )
        self.used = sorted(
            {t for ts in self.columns[self.kind].values() for t in ts}
            | ({c for c in (self.sender, self.target, self.from_me) if c} if self.kind == "messages" else set())
        )

    def leave_out(self, nested: set[str], where: str) -> None:
        """Leave out columns that hold lists or records; raises SourceError where one stands for a column of ours alone."""
        columns = self.columns[self.kind]
        alone = sorted(theirs[0] for theirs in columns.values() if set(theirs) <= nested)
        sides = sorted(c for c in (self.sender, self.target, self.from_me) if self.kind == "messages" and c in nested)
        if alone or sides:
            raise SourceError(
                f"the column {(alone or sides)[0]} holds lists or records", where=where, fix="export it as plain values"
            )
        self.columns[self.kind] = {ours: [t for t in theirs if t not in nested] for ours, theirs in columns.items()}
        self.used = [c for c in self.used if c not in nested]

    def _has(self, table: str, *columns: str) -> bool:
        return any(c in self.columns[table] or c in self.constants for c in columns)

    def _lacking(self, kind: str) -> str | None:
        needs: dict[str, list[tuple[str, ...]]] = {
            "messages": [("line",), ("direction",), ("sent_at", "seen_at"), ("chat_id", "recipient")],
            "transitions": [("line",), ("changed_at",), ("new_health", "new_status")],
            "chats": [("chat_id",), ("line",)],
        }
        for choice in needs[kind]:
            sided = (
                kind == "messages"
                and self.from_me
                and (choice == ("direction",) or (choice == ("line",) and self.sender and self.target))
            )
            if not self._has(kind, *choice) and not sided:
                words = [w.replace("seen_at", "received_at") for w in choice]
                return f"it has no column {' or '.join(words)}"
        return None

    def _recognise(self, where: str, header: list[str]) -> str:
        if self._has("transitions", "changed_at") and self._lacking("transitions") is None:
            return "transitions"
        complete = [kind for kind in ("messages", "chats") if self._lacking(kind) is None]
        if complete:
            return complete[0]
        if self._has("transitions", "changed_at") or self._has("transitions", "new_health", "new_status"):
            return "transitions"
        if self._has("messages", "sent_at", "direction") or self.from_me:
            return "messages"
        ours = "; ".join(f"{kind}: {', '.join(columns)}" for kind, columns in TABLE_COLUMNS.items())
        raise SourceError(
            f"its {len(header)} columns are those of no table we know",
            where=where,
            fix=f"name yours in a mapping file (--map). Ours are {ours}",
        )

    def raw(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return a block of foreign rows (with ``position``) as raw rows of this table's kind."""
        out = []
        for ours, theirs in self.columns[self.kind].items():
            parts = [block[t] for t in theirs]
            out.append(
                parts[0].alias(ours)
                if len(parts) == 1
                else block.select(
                    pl.coalesce(pl.col(t).cast(pl.String, strict=False) for t in theirs).alias(ours)
                ).to_series()
            )
        frame = pl.DataFrame([block["position"], *out])
        frame = frame.with_columns(
            pl.lit(str(v) if not isinstance(v, bool) else str(v).lower()).alias(k)
            for k, v in self.constants.items()
            if k in _RAW[self.kind]
        )
        if self.kind == "messages" and self.from_me is not None:
            frame = self._sided(frame, block)
        for ours, words in (self.mapping.values if self.mapping else {}).items():
            if ours in frame.columns:
                frame = frame.with_columns(
                    pl.col(ours).cast(pl.String, strict=False).replace(list(words), list(words.values()))
                )
        return frame

    def _sided(self, frame: pl.DataFrame, block: pl.DataFrame) -> pl.DataFrame:
        assert self.from_me is not None
        mine = block[self.from_me].cast(pl.String).str.to_lowercase().is_in(["true", "1", "t", "yes"])
        told = block[self.from_me].is_not_null()
        frame = frame.with_columns(_mine=mine, _told=told)
        if "direction" not in frame.columns:
            frame = frame.with_columns(
                direction=pl.when("_told").then(pl.when("_mine").then(pl.lit("outbound")).otherwise(pl.lit("inbound")))
            )
        if "line" not in frame.columns and self.sender and self.target:
            frame = frame.with_columns(
                block[self.sender].cast(pl.String).alias("_from"), block[self.target].cast(pl.String).alias("_to")
            )
            frame = frame.with_columns(
                line=pl.when("_mine").then("_from").otherwise("_to"),
                recipient=pl.when("_mine").then("_to").otherwise("_from"),
            )
        return frame.drop("_mine", "_told", "_from", "_to", strict=False)
