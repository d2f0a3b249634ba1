"""A size and a seed in, a made-up fleet as real-shaped exports with its planted truth out: `linehealth demo`.

``causes`` plans every line's story, ``fleet`` lives it, ``scorer`` is the hidden judge of its health, ``webhooks`` and
``exports`` write what a customer would have. Nothing here knows the product's signals or explanations.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from analysis.errors import UsageError
from analysis.simulate.exports import Export, earlier_files
from analysis.simulate.rhythm import milliseconds

DEFAULT_END = datetime(2026, 11, 22)
"""A fixed day, so that equal arguments give equal bytes on any day."""

__all__ = ["DEFAULT_END", "write_demo"]


def write_demo(
    directory: Path | str, *, lines: int = 12, days: int = 60, seed: int = 7, end: datetime = DEFAULT_END
) -> dict[str, Any]:
    """Write a made-up fleet into a directory and return its truth, which is also written as truth.json.

    Files: webhooks-*.jsonl.gz (the newest piece plain), messages.parquet, chats.csv, transitions.csv, truth.json; described in
    data/README.md. Equal arguments give equal bytes. Files of an earlier fleet in the directory are replaced.

    Args:
        directory: made where it is missing.
        lines: lines of the fleet, at least 1; from 12 on every story is told, then again with variations.
        days: days up to ``end``, at least 3; under about 20 some stories have no time to unfold.
        seed: which fleet of this size.
        end: instant after the last event, UTC where it has no zone.

    Raises:
        UsageError: a number is too small, or the directory is a file.

    Example:
        >>> made = lh.demo("small-fleet", lines=2, days=5)
        >>> sorted(made["files"])[:2]
        ['chats.csv', 'messages.parquet']
    """
    folder = Path(directory)
    if lines < 1 or days < 3:
        raise UsageError("a fleet needs at least 1 line and 3 days", where="demo", fix="ask for more")
    if folder.exists() and not folder.is_dir():
        raise UsageError("this is a file, not a directory", where=str(folder), fix="name another directory")
    folder.mkdir(parents=True, exist_ok=True)
    for path in list(earlier_files(folder)):
        path.unlink()
    return Export(folder, lines=lines, days=days, seed=seed, end=milliseconds(end)).write()
