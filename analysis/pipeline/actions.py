"""What people did about their lines, by hand or from a CSV file, in; the actions that a store keeps out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from analysis.errors import UsageError
from analysis.pipeline.moments import When, moment, now
from analysis.pipeline.opened import Where, reading, settings_in, store_at
from analysis.schema import ACTIONS
from analysis.sources import Refusal, action_of, read_actions
from analysis.sources.pseudonym import canonical_line
from analysis.store import marts, read


@dataclass(frozen=True)
class ActionsReport:
    """What a file of actions gave: rows kept, how many of them are new, and the rows that could not be used."""

    kept: int
    new: int
    refused: list[Refusal] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report as `linehealth action load --json` prints it."""
        return asdict(self)


def actions(store: Where = None, *, line: str | None = None) -> pl.DataFrame:
    """Return recorded actions: ACTIONS, in order of at, line, kind; of one line those of the whole fleet too.

    Example:
        >>> lh.actions().columns
        ['action_id', 'line', 'at', 'kind', 'label', 'source']
    """
    with reading(store) as con:
        return read.actions(con, line=canonical_line(line) if line else None)


def add_action(
    kind: str, *, line: str | None = None, at: When = None, label: str | None = None, store: Where = None
) -> str:
    """Record one action; returns its short name. The same line, time and kind again replaces its label.

    Args:
        kind: one of ACTION_KINDS.
        line: whose; the whole fleet where None.
        at: when it began, UTC where no zone is named; now where None.
        label: a few words, at most 80 characters: no message, no number, no address.
        store: path of the store.

    Raises:
        UsageError: not a line of the store, no time in range, no such kind, or a label that is refused.

    Example:
        >>> known = lh.add_action("slower", line="+13125550103", at="2026-10-14", label="half pace")
        >>> lh.actions().select("kind", "label").rows()
        [('slower', 'half pace')]
    """
    target = store_at(store)
    with target.reader() as con:
        chosen, known = settings_in(con), line is None or read.knows_line(con, canonical_line(line))
    if not known:  # its value is not repeated: it may be a recipient's number
        raise UsageError("not a line of this store", where="line", fix="`linehealth gate` lists the lines")
    then = (moment(at) or now()).replace(microsecond=0)
    if not chosen.earliest <= then.date().isoformat() <= chosen.latest:
        raise UsageError("the time is out of range", where="at", fix="write it like 2026-03-01T12:00:00Z")
    action = action_of(line, then, kind, label, source="hand")
    with target.writer() as con:
        marts.keep_actions(con, pl.DataFrame([action], schema=ACTIONS), now=now())
    return str(action["action_id"])


def load_actions(path: str | Path, *, store: Where = None) -> ActionsReport:
    r"""Load actions from a CSV file with the columns line, at, kind, label: the same file again changes nothing.

    Raises:
        SourceError: the file cannot be read, or a column is missing. Single bad rows are told in the report.

    Example:
        >>> from pathlib import Path
        >>> rows = "line,at,kind,label\n+13125550103,2026-10-14,pause,\n"
        >>> _ = Path("actions.csv").write_text(rows)
        >>> lh.load_actions("actions.csv").kept
        1
    """
    target = store_at(store)
    with target.reader() as con:
        chosen, lines = settings_in(con), frozenset(read.lines(con)["line"])
    found, refused = read_actions(Path(path), lines, chosen)
    if found.is_empty():
        return ActionsReport(0, 0, refused)
    with target.writer() as con:
        new = marts.keep_actions(con, found, now=now())
    return ActionsReport(found.height, new, refused)


def remove_action(action_id: str, *, store: Where = None) -> None:
    """Forget one action by its short name.

    Raises:
        UsageError: there is none of this name.

    Example:
        >>> lh.remove_action(lh.add_action("campaign", line="+13125550103", at="2026-10-12"))
        >>> "campaign" in lh.actions()["kind"]
        False
    """
    target = store_at(store)
    with target.reader() as con:
        known = action_id in read.actions(con)["action_id"]
    if not known:
        raise UsageError("no action of this name", where="action", fix="`linehealth action list` names them")
    with target.writer() as con:
        marts.drop_action(con, action_id)
