"""What commands share: their common options, JSON on stdout, one-sentence errors on stderr, a progress bar, frames written to files."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from analysis.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from analysis.pipeline import Step

STORE = click.option(
    "--store",
    type=click.Path(),
    default=None,
    help="The store's file [default: $LINEHEALTH_STORE, else data/linehealth.duckdb].",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout, nothing else.")
PROGRESS = click.option(
    "--progress",
    type=click.Choice(["bar", "json"]),
    default="bar",
    show_default=True,
    help="On stderr: a bar for people, or one line of JSON a step for programs.",
)
LINE = click.option("--line", default=None, help="Only this line (E.164).")
SINCE = click.option("--since", default=None, help="From this day or time on, UTC where it names no zone.")
UNTIL = click.option("--until", default=None, help="Up to, not including, this day or time.")


BACKGROUND = 10
"""Niceness of commands that write stores: on a machine with nothing else to do they take as long as ever."""


def step_back() -> None:
    """Let what people look at, the app above all, go first where a machine is busy."""
    with contextlib.suppress(AttributeError, OSError):  # not on every system
        os.setpriority(os.PRIO_PROCESS, 0, max(BACKGROUND, os.getpriority(os.PRIO_PROCESS, 0)))


def fail(sentence: str, code: int) -> NoReturn:
    """Say one sentence on stderr and leave with an exit code."""
    click.echo(f"linehealth: {sentence}", err=True)
    sys.exit(code)


def print_json(value: Any) -> None:
    """Print a value as one line of JSON on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


class Bar:
    """A progress bar on a terminal for whatever takes longer than two seconds; a log or a pipe gets none."""

    AFTER_S = 2.0

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.bar: Any = None
        self.task: Any = None

    def __call__(self, what: str, done: float, total: float) -> None:
        """Show how far the work is."""
        if time.monotonic() - self.started < self.AFTER_S or not sys.stderr.isatty():
            return
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task(what, total=total)
        self.bar.update(self.task, description=what, completed=done, total=total)

    def step(self, step: Step) -> None:
        """Show where a load stands."""
        self(step.words, step.share, 1.0)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.bar is not None:
            self.bar.stop()


class Lines:
    """The steps of a load as lines of JSON on stderr, at most ten a second and one at each new stage or file."""

    EVERY_S = 0.1

    def __init__(self) -> None:
        self.last: tuple[float, str, int] = (0.0, "", 0)

    def step(self, step: Step) -> None:
        """Print a step, unless one of the same stage and file was printed just now."""
        now = time.monotonic()
        if (step.stage, step.file) == self.last[1:] and now - self.last[0] < self.EVERY_S:
            return
        self.last = (now, step.stage, step.file)
        click.echo(json.dumps(step.as_json(), separators=(",", ":")), err=True)

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is open."""


def progress_of(kind: str) -> Bar | Lines:
    """Return what shows progress: for people, or for programs."""
    return Lines() if kind == "json" else Bar()


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame to a .parquet or .csv file; raises UsageError where that cannot be."""
    from analysis import pipeline

    if path.suffix not in (".parquet", ".csv"):
        raise UsageError("the file must end in .parquet or .csv", where=str(path), fix="rename it")
    try:
        if path.suffix == ".parquet":
            frame.write_parquet(path)
        else:
            path.write_text(pipeline.as_csv(frame), encoding="utf-8")
    except OSError as e:
        raise UsageError(
            f"cannot be written ({e.strerror})",
            where=str(path),
            fix="name a folder that exists and that you may write to",
        ) from None
