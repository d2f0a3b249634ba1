"""A store's file in, DuckDB on it out: readers of one process share a database only as long as its file is the current one.

DuckDB gives all connections of a process to a path one database. A store is replaced whole, as another file: while anybody in the process
still reads the old one, a reader that opens the path would get that one too.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path

import duckdb

from analysis.errors import StoreError
from analysis.store.damage import unusable

MEMORY_MB, MEMORY_SHARE = 4096, 0.5
"""What DuckDB may use before it spills to disk: the least of the two (its own default, 80 % of the machine, left nothing for Polars)."""


Check = Callable[[duckdb.DuckDBPyConnection], None]
"""Raises where what was opened cannot be used."""


class _Held:
    """A connection that a caller around this one holds, and whether its database is shared by path or its own."""

    def __init__(self, con: duckdb.DuckDBPyConnection, *, apart: bool) -> None:
        self._con, self._apart, self._checked = con, apart, False

    def again(self) -> duckdb.DuckDBPyConnection:
        """Return another connection to the same database; what `_set_up` set holds for all of that but the name of an attached file."""
        con = self._con.cursor()
        return con.execute("use store") if self._apart else con

    def checked(self, con: duckdb.DuckDBPyConnection, check: Check | None) -> duckdb.DuckDBPyConnection:
        """Return a connection to it, after the check where none was made of it before."""
        if check and not self._checked:
            check(con)
            self._checked = True
        return con


_HELD: ContextVar[Mapping[Path, _Held]] = ContextVar("held", default={})  # noqa: B039  # never changed in place
_OPEN: ContextVar[contextlib.ExitStack | None] = ContextVar("open", default=None)
"""Closes what ``kept_open`` keeps."""
_GUARD = threading.Lock()
_SHARED: dict[Path, tuple[str, int]] = {}
"""Of each path that is open: which file it was (``stamp``), and how many connections share it."""


def stamp(path: Path) -> str:
    """Return a word that changes with every write of a store; empty where there is none. Costs no connection."""
    try:
        stat = path.stat()
    except OSError:
        return ""
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}-{stat.st_ino:x}"


@contextlib.contextmanager
def reading(path: Path, *, wait: float, check: Check | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a read-only connection to what a file holds now, or, within another reader of it, to what that one reads.

    Args:
        path: of a file that is there.
        wait: seconds to wait where another program holds it.
        check: made once of what is held open, however many read of it: a page reads many times.

    Raises:
        StoreError: another program holds it for longer, or it cannot be used; and what the check raises.
    """
    key = Path(os.path.realpath(path))
    around, kept = _HELD.get().get(key), _OPEN.get()
    if around is None and kept is not None:
        con, apart = kept.enter_context(current(path, wait=wait))
        around = _Held(con, apart=apart)
        _HELD.set({**_HELD.get(), key: around})
    if around is not None:
        with contextlib.closing(around.again()) as con:
            yield around.checked(con, check)
        return
    with current(path, wait=wait) as (con, apart):
        held = _Held(con, apart=apart)
        token = _HELD.set({**_HELD.get(), key: held})
        try:
            yield held.checked(con, check)
        finally:
            _HELD.reset(token)


@contextlib.contextmanager
def kept_open() -> Iterator[None]:
    """Keep what is opened for reading within this block open until its end: it is opened once (15 ms), and all that is read is of one state."""
    with contextlib.ExitStack() as stack:
        held, token = _HELD.set(_HELD.get()), _OPEN.set(stack)
        try:
            yield
        finally:
            _OPEN.reset(token)
            _HELD.reset(held)


@contextlib.contextmanager
def current(path: Path, *, wait: float) -> Iterator[tuple[duckdb.DuckDBPyConnection, bool]]:
    """Yield a read-only connection to what a file holds now, whoever reads around; and whether its database is its own. Raises as ``reading``."""
    key, now = Path(os.path.realpath(path)), stamp(path)
    with _GUARD:
        was, sharing = _SHARED.get(key, (now, 0))
        apart = was != now  # its database is still that of the file before: this one must be apart
        if not apart:
            _SHARED[key] = was, sharing + 1
    try:
        with contextlib.closing(connect(path, read_only=True, wait=wait, apart=apart)) as con:
            yield con, apart
    finally:
        if not apart:
            with _GUARD:
                was, sharing = _SHARED.pop(key)
                if sharing > 1:
                    _SHARED[key] = was, sharing - 1


def connect(path: Path, *, read_only: bool, wait: float, apart: bool = False) -> duckdb.DuckDBPyConnection:
    """Return a connection to a file; raises as ``reading``.

    Args:
        path: of the file.
        read_only: for reading.
        wait: seconds to wait where another program holds it.
        apart: in a database of its own, whatever else this process reads of the path.
    """
    started, pause = time.monotonic(), 0.005
    while True:
        try:
            con = _apart(path) if apart else duckdb.connect(str(path), read_only=read_only, config=config())
        except (duckdb.IOException, duckdb.ConnectionException) as e:
            text = str(e)
            if "lock" not in text and "different configuration" not in text:
                raise unusable(path, text) from None
            if time.monotonic() - started > wait:
                raise StoreError(
                    "another program holds the store for writing",
                    where=str(path),
                    fix="close it (a DuckDB shell, perhaps) and try again; nothing was changed",
                ) from None
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 1.5, 0.1)
        except duckdb.Error as e:
            raise unusable(path, str(e)) from None
        else:
            return _set_up(con, apart=apart)


def _apart(path: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config=config())
    try:
        con.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as store (read_only)")
    except duckdb.Error:
        con.close()
        raise
    return con


def _set_up(con: duckdb.DuckDBPyConnection, *, apart: bool) -> duckdb.DuckDBPyConnection:
    con.execute("set global TimeZone = 'UTC'; set preserve_insertion_order = false" + ("; use store" if apart else ""))
    return con


def memory_mb() -> int:
    """Return how much memory DuckDB may use before it spills to disk."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    except (AttributeError, ValueError, OSError):  # not on every system
        whole = 2 * MEMORY_MB
    return int(min(MEMORY_MB, MEMORY_SHARE * whole))


def config() -> dict[str, str | bool | int | float | list[str]]:
    """Return what every database is opened with."""
    return {"autoinstall_known_extensions": "false", "memory_limit": f"{memory_mb()}MB"}
