"""A path in, an open store out: readers open read-only and never wait; a writer changes a copy and swaps it in whole.

Measured for this choice (ecosystem.md, section 2): a reader and a writer cannot hold one DuckDB file at once, and back-to-back
readers starve a writer. With a copy, a killed write leaves the old store untouched, and every page reads one consistent state.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import duckdb

from analysis.errors import StoreError
from analysis.locks import try_lock
from analysis.store import instances, kept, marts, migrations
from analysis.store.copying import copied
from analysis.store.damage import damaged, is_damage

MERGE_MB = 1000
"""What it may use while facts are merged (``bounded``): what was read is still held beside it, and sorting by the disk costs little."""
REFRESH_MB = 250
"""What it may use while marts are made: groups of lines at work, and histories, are held beside it. 500 took 2 % less time and 240 MB more."""
REFRESH_SHARE = 18
"""Of a store of more than 4.5 GB, so many parts of which it may use one: what was added and is not written yet can't be let go of. 100 million
messages (4.5 GB) are refreshed with 250 MB, and not with 125."""
UNWRITTEN = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException)
"""What DuckDB raises where the copy cannot be written; fatal: a checkpoint that failed. Only the copy is lost."""
READ_WAIT_S = 15.0
WRITE_WAIT_S = 60.0


def default_path() -> Path:
    """Return the store used where none is named: $LINEHEALTH_STORE, else data/linehealth.duckdb."""
    return Path(os.environ.get("LINEHEALTH_STORE") or Path("data") / "linehealth.duckdb")


class Store:
    """One store on disk. Holds no connection: every read opens, reads and closes."""

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else default_path()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    @property
    def where(self) -> str:
        """The path as errors show it."""
        return str(self.path)

    def exists(self) -> bool:
        """Return whether there is a file at the path."""
        return self.path.exists()

    @contextlib.contextmanager
    def reader(self, *, wait_s: float | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a read-only connection to one consistent state.

        Args:
            wait_s: how long to wait where another program holds the file; READ_WAIT_S where None.

        Raises:
            StoreError: no store there, not ours, damaged, of another version, or held by another program.
        """
        try:
            with self._opened(wait_s, self._check_current) as con:
                yield con
        except duckdb.Error as e:
            if is_damage(e):
                raise damaged(self.path) from None
            raise

    def _check_current(self, con: duckdb.DuckDBPyConnection) -> None:
        if migrations.check_version(con, self.where) < migrations.VERSION:
            raise StoreError(
                "the store was made by an older version",
                where=self.where,
                fix="run `linehealth refresh` once: it brings the store up to date",
            )

    def is_old(self) -> bool:
        """Return whether it must be brought to this program's version before it can be read. Raises StoreError as ``reader`` does."""
        with self._opened() as con:
            return migrations.check_version(con, self.where) < migrations.VERSION

    def _opened(
        self, wait_s: float | None = None, check: instances.Check | None = None
    ) -> contextlib.AbstractContextManager[duckdb.DuckDBPyConnection]:
        if not self.path.exists():
            raise StoreError(f"no store at {self.where}", fix="load exports first: linehealth load PATH")
        if not self.path.is_file():
            raise StoreError("the store is not a file", where=self.where, fix="name a file as --store")
        return instances.reading(self.path, wait=READ_WAIT_S if wait_s is None else wait_s, check=check)

    @contextlib.contextmanager
    def writer(self, *, anew: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection to a copy that replaces the store when the block ends without an error.

        One writer at a time; the store is made where there is none. ``anew``: its file is written from scratch, so that what was removed is
        in no free block of it either. Raises StoreError as ``reader`` does.
        """
        try:
            with _for_owner_only():
                self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise StoreError(
                f"its folder cannot be made ({e.strerror})", where=self.where, fix="name another --store"
            ) from None
        with _for_owner_only(), _turnstile(self.path):
            copy = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
            try:
                for left in self.path.parent.glob(f".{glob.escape(self.path.name)}.*.new*"):
                    _remove(left)  # of killed writers: nobody else writes now
                self._copy_to(copy)
                known = copy.exists()
                con = instances.connect(copy, read_only=False, wait=0)
                try:
                    version = migrations.check_version(con, self.where) if known else 0
                    con.execute("begin")
                    migrations.migrate(con, version)
                    yield con
                    marts.set_meta(con, "snapshot", uuid.uuid4().hex)
                    con.execute("commit")
                    con.execute("checkpoint")
                    kept.write(con, self.path)
                finally:
                    con.close()
                if anew:
                    _rewrite(copy)
                self._swap_in(copy)
            except OSError as e:
                raise StoreError(
                    f"the store cannot be written ({e.strerror}); the old one is unchanged",
                    where=self.where,
                    fix="free disk space or correct the rights, and run the same command again",
                ) from None
            except duckdb.Error as e:
                if is_damage(e):
                    raise damaged(self.path) from None
                if not isinstance(e, UNWRITTEN) and "Failed to commit" not in str(e):
                    raise
                raise StoreError(
                    f"the store cannot be written ({_short(e)}); the old one is unchanged",
                    where=self.where,
                    fix="free disk space or memory, and run the same command again",
                ) from None
            finally:
                with contextlib.suppress(OSError):  # a disk that became read-only: the next writer removes it
                    _clear(copy)

    def _copy_to(self, copy: Path) -> None:
        if not self.path.exists():
            copy.touch(mode=0o600)
            copy.unlink()  # DuckDB makes its own file; this proved that the folder can be written
            return
        # holding it open keeps other programs from writing while we copy
        with instances.current(self.path, wait=READ_WAIT_S) as (con, _):
            migrations.check_version(con, self.where)
            copied(self.path, copy)
            log = Path(f"{self.path}.wal")
            if log.exists():
                copied(log, Path(f"{copy}.wal"))

    def _swap_in(self, copy: Path) -> None:
        copy.chmod(0o600)
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        copy.replace(self.path)
        Path(f"{self.path}.wal").unlink(missing_ok=True)
        if os.name == "posix":
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Keep other writers out; raises StoreError where one is at work for long."""
        return _turnstile(self.path)

    def snapshot(self) -> str:
        """Return a word that changes with every write of the store; empty where there is none. Costs no connection."""
        return instances.stamp(self.path)


@contextlib.contextmanager
def _for_owner_only() -> Iterator[None]:
    """Make new files (the copy, its log, what DuckDB spills) readable by their owner only from their first byte on."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _rewrite(path: Path) -> None:
    fresh = path.with_name(f"{path.name}.fresh")
    fresh.unlink(missing_ok=True)
    con = duckdb.connect(config=instances.config())
    try:
        for name, file in (("old", path), ("fresh", fresh)):
            con.execute(f"attach '{str(file).replace(chr(39), chr(39) * 2)}' as {name}")
        con.execute("copy from database old to fresh")
        con.execute("detach fresh")
        con.execute("detach old")
    finally:
        con.close()
    fresh.replace(path)


def _clear(copy: Path) -> None:
    for path in copy.parent.glob(f"{glob.escape(copy.name)}*"):
        _remove(path)


def _remove(left: Path) -> None:
    """Remove a file of a writer, or the folder into which DuckDB spilled what did not fit in memory."""
    if left.is_dir():
        shutil.rmtree(left)
    else:
        left.unlink(missing_ok=True)


def _short(error: Exception) -> str:
    return str(error).split("\n", 1)[0].split(": ", 1)[-1][:120]


@contextlib.contextmanager
def bounded(con: duckdb.DuckDBPyConnection, mb: int = MERGE_MB) -> Iterator[None]:
    """Hold an open store to so much memory, or what it has where that is less; what does not fit goes to the disk beside the store."""
    con.execute(f"set memory_limit = '{min(mb, instances.memory_mb())}MB'")
    yield
    con.execute(
        f"set memory_limit = '{instances.memory_mb()}MB'"
    )  # after an error nothing more is done with the connection


def refresh_mb(con: duckdb.DuckDBPyConnection) -> int:
    """Return what DuckDB may use while the marts of an open store are made: REFRESH_MB, and more for a very large one."""
    sql = "select total_blocks * block_size from pragma_database_size() where database_name = current_database()"
    ((size,),) = con.execute(sql).fetchall()
    return max(REFRESH_MB, int(size) // 1_000_000 // REFRESH_SHARE)


@contextlib.contextmanager
def _turnstile(path: Path) -> Iterator[None]:
    """Let one writer in at a time; the lock dies with its process."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        file: IO[str] = lock.open("a")
    except OSError as e:
        raise StoreError(
            f"the store's folder cannot be written ({e.strerror})",
            where=str(path),
            fix="correct its rights, or name another --store",
        ) from None
    with file:
        started = time.monotonic()
        while not try_lock(file):
            if time.monotonic() - started > WRITE_WAIT_S:
                raise StoreError(
                    "another load or refresh is writing this store",
                    where=str(path),
                    fix="wait until it is done and try again; nothing was changed",
                )
            time.sleep(0.05)
        yield
