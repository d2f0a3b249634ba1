"""Lines in, durable lines out: one thread appends what is waiting and syncs it once for all (group commit)."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.sources.spool import DONE, Spool, sync_folder

Settle = Callable[[list[Any], bool], None]
"""Called, in the thread that commits, with the tokens of the lines of one commit and whether these are on the disk."""


class Committer:
    """Appends lines to segments of a spool; a line is settled once the disk has it. Start it, add lines, stop it."""

    def __init__(
        self, spool: Spool, settle: Settle, *, segment_bytes: float, segment_s: float, durable: bool = True
    ) -> None:
        """Make one; ``durable=False`` leaves out the sync, for measuring what it costs and for nothing else."""
        self.spool, self.settle, self.durable = spool, settle, durable
        self.segment_bytes, self.segment_s = segment_bytes, segment_s
        self.commits = self.lines = 0
        self.problem = ""
        self.seconds: Callable[[float], None] = lambda s: None
        self._wake = threading.Condition()
        self._waiting: list[tuple[bytes, Any]] = []
        self._stopped = False
        self._path: Path | None = None
        self._file = -1
        self._size, self._since = 0, 0.0
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, line: bytes, token: Any) -> None:
        """Have a line (without its end) written."""
        with self._wake:
            if self._stopped:
                raise RuntimeError("stopped")
            self._waiting.append((line, token))
            self._wake.notify()

    def stop(self) -> None:
        """Write what is waiting, close the segment, and end."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                if not self._waiting and not self._stopped:
                    self._wake.wait(self._idle())
                batch, self._waiting = self._waiting, []
                stopped = self._stopped
            if batch:
                self._commit(batch)
            if self._path is not None and (stopped or self._full()):
                self._seal()
            if stopped and not batch:
                return

    def _idle(self) -> float | None:
        return None if self._path is None else max(0.05, self._since + self.segment_s - time.monotonic())

    def _full(self) -> bool:
        return self._size >= self.segment_bytes or time.monotonic() - self._since >= self.segment_s

    def _commit(self, batch: list[tuple[bytes, Any]]) -> None:
        started = time.perf_counter()
        data = b"".join(line + b"\n" for line, _ in batch)
        try:
            if self._path is None:
                self._begin()
            self._write(data)
            if self.durable:
                os.fdatasync(self._file) if hasattr(os, "fdatasync") else os.fsync(self._file)
        except OSError as e:
            self.problem = e.strerror or type(e).__name__
            self._give_up()
            good = False
        else:
            self.problem, good = "", True
            self._size += len(data)
            self.commits += 1
            self.lines += len(batch)
            self.seconds(time.perf_counter() - started)
        self.settle([token for _, token in batch], good)

    def _begin(self) -> None:
        path = self.spool.new_name(time.time_ns() // 1_000_000)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._path, self._size, self._since = path, 0, time.monotonic()
        if self.durable:
            sync_folder(self.spool.folder)  # the name must outlast a power cut as the lines do

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _give_up(self) -> None:
        """Leave a segment that could not be written: what was acknowledged stays, what was not is cut off."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._size)
        self._seal()

    def _seal(self) -> None:
        path, self._path = self._path, None
        with contextlib.suppress(OSError):
            os.close(self._file)
        if path is None:
            return
        with contextlib.suppress(OSError):  # it is sealed at the next start then
            if self._size:
                path.rename(path.with_suffix(DONE))
            else:
                path.unlink()
