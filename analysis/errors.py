"""The one family of errors a person sees: what went wrong, where, and how to fix it; no traceback, no row values."""

from __future__ import annotations

from typing import ClassVar


def one_line(text: str) -> str:
    """Return a text that stays on its line of a log and commands no terminal: a file's name may hold anything."""
    return "".join(c if c.isprintable() else "?" for c in text)


class LineHealthError(Exception):
    """An error meant for a person: one sentence with problem, place and fix.

    Args:
        problem: what went wrong, without any value from a row (rows may hold personal data).
        where: file, line number, table or setting it happened at.
        fix: what the person can do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, *, where: str = "", fix: str = "") -> None:
        self.problem, self.where, self.fix = one_line(problem), one_line(where), one_line(fix)
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text}; {self.fix}" if self.fix else text


class UsageError(LineHealthError):
    """The call itself is wrong (exit code 2)."""

    exit_code = 2


class SourceError(LineHealthError):
    """An input file cannot be used as a whole; nothing of it was stored."""


class StoreError(LineHealthError):
    """The store is missing, not ours, newer than this program, damaged, or held by another process."""


class SettingsError(UsageError):
    """A setting or mapping file has an unknown key or a value out of range."""


class LiveError(LineHealthError):
    """The vendor's API refused, or could not be reached; what was pulled before is kept."""
