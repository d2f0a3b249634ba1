"""What happens in, lines of JSON out: a run's id, counts and seconds; never a value of the data.

Off unless `linehealth --log FILE` or $LINEHEALTH_LOG names a file ("-": stderr). A text is written under a few keys only, and only where it
is a word of ours: the name of a command, of a stage, of a kind of error.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE, RUN = "LINEHEALTH_LOG", "LINEHEALTH_RUN"
_WORDS = ("command", "error", "kind")
"""Keys whose values may be words."""
_WORD = re.compile(r"[A-Za-z][A-Za-z_-]{0,39}")
_LOGGER = logging.getLogger("linehealth")
Told = bool | int | float | str | None


class _Line(logging.Formatter):
    """One event as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        made = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        told = {
            "at": made,
            "level": record.levelname.lower(),
            "run": run_id(),
            "pid": record.process,
            "event": record.msg,
        }
        return json.dumps(told | getattr(record, "told", {}))


class _File(logging.StreamHandler):
    """Writes to a file that it closes."""

    def close(self) -> None:
        self.stream.close()
        super().close()


def run_id() -> str:
    """Return the id of this run; processes started by it have the same."""
    return os.environ.setdefault(RUN, uuid.uuid4().hex[:12])


def configure(path: str | None = None) -> None:
    """Write events to a file (made for its owner only, written on at its end) or, with "-", to stderr; nowhere where none is named."""
    named = path or os.environ.get(VARIABLE)
    for old in _ours():
        _LOGGER.removeHandler(old)
        if isinstance(old, _File):
            old.close()
    _LOGGER.propagate = False
    if not named:
        _LOGGER.disabled = True
        return
    if named == "-":
        handler: logging.Handler = logging.StreamHandler(sys.stderr)
    else:
        handler = _File(os.fdopen(os.open(named, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a"))
    handler.setFormatter(_Line())
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.disabled = False


def _ours() -> list[logging.Handler]:
    return [h for h in _LOGGER.handlers if isinstance(h.formatter, _Line)]


def follow() -> None:
    """Write where $LINEHEALTH_LOG says, unless this process does already: a script that runs again and again asks each time."""
    if os.environ.get(VARIABLE) and not _ours():
        configure()


def note(event: str, **told: Told) -> None:
    """Write one event with counts and durations; what is neither a number nor one of our words is left out.

    Args:
        event: a word of ours.
        told: numbers, and under ``command``, ``error`` and ``kind`` words. With ``error``, or an ``exit`` that is not 0, it is an error.
    """
    if _LOGGER.disabled or not _ours():
        return
    kept = {
        key: round(value, 3) if isinstance(value, float) else value
        for key, value in told.items()
        if not isinstance(value, str) or (key in _WORDS and _WORD.fullmatch(value))
    }
    failed = "error" in kept or bool(kept.get("exit"))
    _LOGGER.log(logging.ERROR if failed else logging.INFO, event, extra={"told": kept})


@contextmanager
def timed(event: str, **told: Told) -> Iterator[dict[str, Told]]:
    """Write an event with how long it took, and what is put into the yielded dict meanwhile; with the kind of error where one ends it."""
    began, more = time.perf_counter(), dict(told)
    try:
        yield more
    except Exception as e:
        note(event, error=type(e).__name__, seconds=time.perf_counter() - began, **more)
        raise
    note(event, seconds=time.perf_counter() - began, **more)


@contextmanager
def stage(told: dict[str, Told], name: str) -> Iterator[None]:
    """Put into what ``timed`` yields how long a part of it took: ``name_seconds``."""
    began = time.perf_counter()
    yield
    told[f"{name}_seconds"] = time.perf_counter() - began
