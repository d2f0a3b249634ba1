"""What a disk may hold after the power failed at any moment of a write, at its worst: only what was synced, names as they were or as they are.

No device here can lose writes on purpose (device-mapper is not in this kernel), so it is simulated: the calls that make things durable
(fsync of a file, fsync of a folder) and those that change names (replace, unlink) are watched in this process. A file's bytes count from
its own fsync on, before that it is empty. A change of names counts for sure after an fsync of the folder, and may have counted before.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

State = dict[str, bytes]
"""Bytes by name of a folder's files."""


@dataclass
class Disk:
    """A folder of stores whose durable state is followed."""

    folder: Path
    after: list[tuple[str, State, State]] = field(default_factory=list)
    """For every moment: what was just done; files with the names of the last sync; files with the names of that moment."""
    _synced: dict[int, bytes] = field(default_factory=dict)
    _names: dict[str, int] = field(default_factory=dict)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Follow it; what is there at the beginning is durable."""
        self._names = self._now()
        self._synced = {i: (self.folder / name).read_bytes() for name, i in self._names.items()}
        fsync, replace, unlink = os.fsync, os.replace, os.unlink

        def synced(fd: int) -> None:
            fsync(fd)
            path = Path(f"/proc/self/fd/{fd}").readlink()
            if path == self.folder.resolve():
                self._names = self._now()
            elif path.parent == self.folder.resolve():
                self._synced[os.fstat(fd).st_ino] = path.read_bytes()
            self._moment(f"fsync {path.name}")

        def replaced(source, target, **more) -> None:
            replace(source, target, **more)
            self._moment(f"replace {Path(target).name}")

        def unlinked(path, **more) -> None:
            unlink(path, **more)
            self._moment(f"unlink {path}")

        with (
            mock.patch.object(os, "fsync", synced),
            mock.patch.object(os, "replace", replaced),
            mock.patch.object(os, "unlink", unlinked),
        ):
            self._moment("begin")
            yield
            self._moment("acknowledged")

    def _now(self) -> dict[str, int]:
        return {p.name: p.stat().st_ino for p in self.folder.iterdir() if p.is_file()}

    def _moment(self, what: str) -> None:
        self.after.append((what, self._files(self._names), self._files(self._now())))

    def _files(self, names: dict[str, int]) -> State:
        return {name: self._synced.get(inode, b"") for name, inode in names.items()}


def written(state: State, folder: Path) -> Path:
    """Write what a disk held into an empty folder."""
    folder.mkdir()
    for name, data in state.items():
        (folder / name).write_bytes(data)
    return folder
