"""A store by path, or opened already, in; a connection and the settings in force out: what every verb begins with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from analysis.errors import SettingsError
from analysis.settings import Settings
from analysis.store import Store, default_path, read
from analysis.store.instances import kept_open

Where = str | Path | Store | None

__all__ = ["Where", "default_store", "kept_open", "reading", "settings_in", "settings_of", "store_at"]


def store_at(store: Where) -> Store:
    """Return the store at a path, or the one given, or the default one."""
    return store if isinstance(store, Store) else Store(store)


def default_store() -> Path:
    """Return the store that every verb uses where none is named."""
    return default_path()


@contextlib.contextmanager
def reading(store: Where) -> Iterator[Any]:
    """Open a store for reading; raises StoreError where there is none."""
    with store_at(store).reader() as con:
        yield con


def settings_in(con: Any) -> Settings:
    """Return the settings that a store keeps."""
    return settings_of(read.settings(con))


def settings_of(kept: dict[str, str]) -> Settings:
    """Return settings from their text; a word that is no setting, or no value of its type, is an error."""
    defaults = Settings()
    known = {f.name: type(getattr(defaults, f.name)) for f in fields(Settings)}
    values: dict[str, Any] = {}
    for key, text in kept.items():
        if key not in known:
            raise SettingsError("there is no such setting", where=key, fix="`linehealth settings` lists them")
        try:
            values[key] = known[key](text) if known[key] is not bool else text.lower() in ("1", "true", "yes")
        except ValueError:
            raise SettingsError("the value must be a number", where=key, fix="give a number in its range") from None
    return Settings(**values)
