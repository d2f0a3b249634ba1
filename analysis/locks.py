"""An open file in, whether this process has it to itself out: the lock dies with the process."""

from __future__ import annotations

from typing import IO


def try_lock(file: IO[str]) -> bool:
    """Take the lock of an open file without waiting; False where another process has it.

    Where the system has no such lock, always True: one at a time is then up to the user.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
