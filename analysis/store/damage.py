"""What DuckDB says of a file it cannot use in; the one sentence a person reads out. DuckDB keeps a checksum of every block."""

from __future__ import annotations

from pathlib import Path

import duckdb

from analysis.errors import StoreError
from analysis.store import kept

SIGNS = ("Corrupt database file", "Could not read enough bytes", "database has been invalidated")
"""Words of DuckDB's errors on a damaged file: tried with bytes flipped and files cut at random (python -m tests.breaking.damage)."""


class DamagedStoreError(StoreError):
    """The store's file is damaged: bytes of it changed, or its end is missing."""


def is_damage(error: Exception) -> bool:
    """Return whether an error of DuckDB says that the file itself is damaged."""
    return isinstance(error, duckdb.SerializationException) or any(sign in str(error) for sign in SIGNS)


def damaged(path: Path) -> DamagedStoreError:
    """Return the error of a damaged store."""
    return DamagedStoreError(
        "the store is damaged",
        where=str(path),
        fix="run `linehealth rebuild`: it saves what can be read, loads your files again, and keeps the damaged file; nothing was changed yet",
    )


def unusable(path: Path, text: str) -> StoreError:
    """Return the error of a file that DuckDB does not open."""
    if "not a valid DuckDB" in text and not kept.list_path(path).exists():
        return StoreError(
            "the file is not a store (not a DuckDB database)",
            where=str(path),
            fix="name another file as --store; nothing was changed",
        )
    if "newer version" in text or "storage version" in text.lower():
        return StoreError(
            "the file was written by a newer DuckDB", where=str(path), fix="update linehealth; nothing was changed"
        )
    if "Permission denied" in text or "Read-only" in text:
        return StoreError(
            "the store cannot be opened (no right to)",
            where=str(path),
            fix="correct the rights of the file and its folder",
        )
    return damaged(path)
