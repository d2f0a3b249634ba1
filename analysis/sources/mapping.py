"""A mapping file in, checked renamings out: how a table with foreign columns, words or times is to be read."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from analysis.errors import SettingsError
from analysis.settings import is_zone

TABLE_COLUMNS: dict[str, tuple[str, ...]] = {
    "messages": (
        "message_id", "line", "chat_id", "recipient", "direction", "sent_at", "received_at", "delivered_at", "read_at",
        "failed_at", "failure_code", "service", "is_group", "fingerprint",
    ),
    "transitions": ("line", "changed_at", "previous_health", "new_health", "previous_status", "new_status"),
    "chats": ("chat_id", "line", "recipient", "is_group", "created_at", "health", "health_updated_at"),
}  # fmt: skip
"""Contract.md, section 4: our columns of each table."""
_ALL = frozenset(c for columns in TABLE_COLUMNS.values() for c in columns)
_UNITS = ("s", "ms", "us", "ns")


class TimeReading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Unit of numeric times, and zone of times that name none."""

    unit: str | None = None
    zone: str | None = None


class FileReading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which table a file is, and how its cells are laid out."""

    table: str | None = None
    delimiter: str | None = None
    header: list[str] | None = None


class Mapping(msgspec.Struct, forbid_unknown_fields=True):
    """How to read a foreign table.

    columns: our column = their column. constants: our column = one value for every row. values: our column = {their word:
    our word}. time: ``unit`` of numeric times (s, ms, us, ns) and ``zone`` of times without one. file: ``table`` (which of
    ours it is), ``delimiter``, and ``header`` for a file without one.
    """

    columns: dict[str, str] = {}
    constants: dict[str, str | int | float | bool] = {}
    values: dict[str, dict[str, str]] = {}
    time: TimeReading = TimeReading()
    file: FileReading = FileReading()

    def applies_to(self, header: list[str]) -> bool:
        """Return whether this mapping was made for a table with these columns."""
        return bool(self.file.header) or not self.columns or any(theirs in header for theirs in self.columns.values())

    def salt(self) -> bytes:
        """Return bytes that differ for mappings that read a file differently."""
        return msgspec.json.encode(self, order="deterministic")


def _is_delimiter(text: str) -> bool:
    return len(text) == 1 and text not in '"\r\n\x00'


def load_mapping(path: str | Path) -> Mapping:
    """Return the mapping of a TOML file.

    Raises:
        SettingsError: the file is missing, is not TOML, or has a key, column or unit that does not exist.
    """
    where = str(path)
    try:
        raw: dict[str, Any] = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
        mapping = msgspec.convert(raw, Mapping)
    except OSError as e:
        raise SettingsError(
            f"the mapping file cannot be read ({e.strerror})", where=where, fix="check the path"
        ) from None
    except msgspec.ValidationError as e:
        raise SettingsError(
            str(e),
            where=where,
            fix="allowed are [columns], [constants], [values.COLUMN], [time] unit and zone, [file] table, delimiter and header",
        ) from None
    except (ValueError, RecursionError) as e:  # a number of too many digits is a plain ValueError
        raise SettingsError(
            "not UTF-8 text"
            if isinstance(e, UnicodeDecodeError)
            else f"not a TOML file ({e})"
            if isinstance(e, tomllib.TOMLDecodeError)
            else "not a TOML file that can be read (nested too deep, or a number too long)",
            where=where,
            fix="write it as [columns], [constants], [values.direction], [time]",
        ) from None
    unknown = sorted((set(mapping.columns) | set(mapping.constants) | set(mapping.values)) - _ALL)
    if unknown:
        raise SettingsError(
            f"{', '.join(unknown)} is not a column of ours",
            where=where,
            fix=f"ours stand on the left: {', '.join(sorted(_ALL))}",
        )
    if mapping.time.unit not in (None, *_UNITS):
        raise SettingsError("[time] unit is unknown", where=where, fix="use s, ms, us or ns")
    if mapping.file.delimiter is not None and not _is_delimiter(mapping.file.delimiter):
        raise SettingsError(
            "[file] delimiter is not one character", where=where, fix='write one that is no quote, such as ";" or "\\t"'
        )
    if mapping.time.zone is not None and not is_zone(mapping.time.zone):
        raise SettingsError("[time] zone is unknown", where=where, fix="use an IANA name such as America/New_York")
    if mapping.file.table not in (None, *TABLE_COLUMNS):
        raise SettingsError("[file] table is unknown", where=where, fix="use messages, transitions or chats")
    return mapping
