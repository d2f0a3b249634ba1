"""An open store in, a list of what it was made of out, in a small file of the owner's beside it: what a damaged store is rebuilt from.

Written before the store is swapped in, so that a file that was loaded is never missing from it; it may name one whose load was killed.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import duckdb

FILES = ("webhook", "messages", "transitions", "chats")
"""Kinds of sources that are files; the others are read from the API, or were received."""


@dataclass(frozen=True)
class Kept:
    """One source as the list names it: path, kind, fingerprint of its content, rows read."""

    path: str
    kind: str
    source_id: str
    read: int

    @property
    def is_file(self) -> bool:
        """Whether it can be loaded again from where it was."""
        return self.kind in FILES


def list_path(store: Path) -> Path:
    """Return where the list of a store is."""
    return store.with_name(f"{store.name}.sources.json")


def write(con: duckdb.DuckDBPyConnection, store: Path) -> None:
    """Write the list of an open store's sources, whole or not at all. Raises OSError where it cannot be written."""
    rows = con.execute("select path, kind, source_id, read from source order by loaded_at, path").fetchall()
    where = {k.source_id: k.path for k in read(store)}  # whole paths, though the store keeps them as they were given
    told = [
        {"path": where.get(i) or (str(Path(p).resolve()) if k in FILES else p), "kind": k, "source_id": i, "read": n}
        for p, k, i, n in rows
    ]
    text = json.dumps({"sources": told}, indent=1)
    path = list_path(store)
    if path.exists() and path.read_text("utf-8") == text:
        return
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read(store: Path) -> list[Kept]:
    """Return the sources that the list beside a store names; none where there is no list, or it cannot be read."""
    try:
        rows = json.loads(list_path(store).read_text("utf-8"))["sources"]
        return [Kept(str(r["path"]), str(r["kind"]), str(r["source_id"]), int(r["read"])) for r in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return []
