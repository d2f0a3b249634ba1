"""Commands that measure speed: bench data makes a fleet of any size, bench app opens every page of a store, bench receive posts webhooks, bench signals counts and bench load loads beside peers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from analysis.cli.shared import AS_JSON, STORE, Bar, print_json
from analysis.errors import UsageError


class _Count(click.ParamType[int]):
    """A count as people write it: 20000000, 20_000_000 or 20,000,000."""

    name = "count"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            count = int(str(value).replace(",", "").replace("_", ""))
        except ValueError:
            self.fail(f"{value} is not a whole number", param, ctx)
        if count < 1:
            self.fail(f"{value} is less than 1", param, ctx)
        return count


LINES = click.option("--lines", "lines_", type=_Count(), default=200, show_default=True, help="How many lines.")
DAYS = click.option("--days", type=click.IntRange(3, 1000), default=180, show_default=True, help="How many days.")
SEED = click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Equal seeds, equal rows.")
SIZES = click.option(
    "--messages", type=_Count(), multiple=True, help="A size; several for growth [default: 20,000,000]."
)
FOLDERS = click.option(
    "--data",
    "folders",
    type=click.Path(exists=True, file_okay=False),
    multiple=True,
    help="A folder of `bench data` instead of --messages; several for growth.",
)
OUT = click.option(
    "--out", type=click.Path(dir_okay=False), default=None, help="Also write the table to this Markdown file."
)
FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False),
    default="bench",
    show_default=True,
    help="Where data is made, and stores are written.",
)


def _fleets(
    where: str, folders: tuple[str, ...], messages: tuple[int, ...], folder: str, *, lines: int, days: int, seed: int
) -> list[Path]:
    """Return the folders of data that were named, or those of the sizes that were asked for, made where they are missing."""
    from analysis.bench.signals import fleet

    if messages and folders:
        raise UsageError("--messages makes data of its own", where=where, fix="leave out one of the two")
    return [Path(f) for f in folders] or [
        fleet(folder, messages=n, lines=lines, days=days, seed=seed) for n in messages or (20_000_000,)
    ]


def _print(told: Any, as_json: bool, out: str | None = None) -> None:
    """Print what was measured, and write its table to a file where one is named."""
    if out is not None:
        Path(out).write_text(told.as_text() + "\n", encoding="utf-8")
    print_json(told.as_json()) if as_json else click.echo(told.as_text())


@click.group()
def bench() -> None:
    """How fast the product is, on a made-up fleet of any size (analysis/bench/README.md has the tables)."""


@bench.command()
@click.argument("directory", type=click.Path(file_okay=False))
@click.option("--messages", type=_Count(), default=20_000_000, show_default=True, help="Exactly so many messages.")
@LINES
@DAYS
@SEED
@AS_JSON
def data(directory: str, messages: int, lines_: int, days: int, seed: int, as_json: bool) -> None:
    """Write a big made-up fleet as Parquet tables: messages-*, chats and transitions."""
    from analysis.bench.fleet import write_fleet

    with Bar() as bar:
        told = write_fleet(directory, messages=messages, lines=lines_, days=days, seed=seed, progress=bar)
    if as_json:
        print_json({"directory": directory, "lines": lines_, "days": days, "seed": seed, **told.as_json()})
    else:
        click.echo(
            f"{told.messages:,} messages in {told.files} files, {told.chats:,} chats, {told.transitions:,} transitions of {lines_:,} lines in {directory}; load it: linehealth load {directory}"
        )


@bench.command()
@click.option("--messages", type=_Count(), default=None, help="Make and load a fleet of that size instead of --store.")
@LINES
@DAYS
@SEED
@click.option("--runs", type=click.IntRange(1, 50), default=3, show_default=True, help="Fresh processes a page.")
@click.option("--browser/--no-browser", default=True, show_default=True, help="Also in a Chromium, where there is one.")
@STORE
@AS_JSON
def app(
    messages: int | None,
    lines_: int,
    days: int,
    seed: int,
    runs: int,
    browser: bool,
    store: str | None,
    as_json: bool,
) -> None:
    """Open every page of a store in fresh processes, click, and say how long each took beside its bound."""
    from analysis.bench import app as room
    from analysis.store import default_path

    if messages is not None and store is not None:
        raise UsageError("--messages makes a store of its own", where="bench app", fix="leave out one of the two")
    path = Path(store) if store else default_path()
    with Bar() as bar:
        if messages is None:
            told = room.measured(path, runs=runs, in_browser=browser, progress=bar)
        else:
            told = room.measured_on_new(
                messages=messages, lines=lines_, days=days, seed=seed, runs=runs, in_browser=browser, progress=bar
            )
    _print(told, as_json)


@bench.command()
@click.option("--deliveries", type=_Count(), default=20_000, show_default=True, help="How many a run.")
@click.option("--connections", type=click.IntRange(1, 1000), default=32, show_default=True, help="Kept open at once.")
@click.option("--runs", type=click.IntRange(1, 50), default=3, show_default=True, help="Of each way, in turn.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False),
    default=None,
    help="A folder on the disk to measure [default: the temporary one].",
)
@AS_JSON
def receive(deliveries: int, connections: int, runs: int, folder: str | None, as_json: bool) -> None:
    """Post signed deliveries to the receiver: acknowledged ones a second with durability, and without it, side by side."""
    from analysis.bench.receive import measured

    told = measured(
        deliveries=deliveries, connections=connections, runs=runs, folder=Path(folder) if folder is not None else None
    )
    _print(told, as_json)


@bench.command()
@SIZES
@LINES
@DAYS
@SEED
@FOLDERS
@FOLDER
@click.option("--peers", default="duckdb,pandas,clickhouse", show_default=True, help="Whom to measure beside ours.")
@click.option("--runs", type=click.IntRange(1, 50), default=3, show_default=True, help="Of each way, in turn.")
@OUT
@AS_JSON
def signals(
    messages: tuple[int, ...],
    lines_: int,
    days: int,
    seed: int,
    folders: tuple[str, ...],
    folder: str,
    peers: str,
    runs: int,
    out: str | None,
    as_json: bool,
) -> None:
    """Signals by day: ours, expert DuckDB SQL, pandas and ClickHouse from the same coded tables; equal in every cell, or it fails."""
    from analysis.bench import signals as room

    with Bar() as bar:
        found = _fleets("bench signals", folders, messages, folder, lines=lines_, days=days, seed=seed)
        told = room.measured(found, peers=[p for p in peers.split(",") if p], runs=runs, progress=bar)
    _print(told, as_json, out)


@bench.command()
@click.option("--messages", type=_Count(), default=20_000_000, show_default=True, help="Exactly so many messages.")
@LINES
@DAYS
@SEED
@click.option("--data", type=click.Path(exists=True, file_okay=False), default=None, help="A folder of `bench data`.")
@FOLDER
@AS_JSON
def refresh(messages: int, lines_: int, days: int, seed: int, data: str | None, folder: str, as_json: bool) -> None:
    """A full refresh beside SQL that counts days alone; then one more day and a late message beside the full one, equal in every mart."""
    from analysis.bench import refresh as room
    from analysis.bench.signals import fleet

    with Bar() as bar:
        found = data or fleet(folder, messages=messages, lines=lines_, days=days, seed=seed)
        told = room.measured(found, folder=folder, progress=bar)
    _print(told, as_json)


@bench.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
def phases(folder: str) -> None:
    """Where the time of counting signals by day goes, step by step, for a FOLDER of `bench data`; and the least that any way needs."""
    from analysis.bench import phases as room

    click.echo(room.measured(folder).as_text())


@bench.command()
@click.argument("store", type=click.Path(exists=True, dir_okay=False))
def parts(store: str) -> None:
    """Where the time of a full refresh goes, part by part, for a copy of a STORE."""
    from analysis.bench import parts as room

    click.echo(room.measured(store).as_text())


@bench.command()
@SIZES
@LINES
@DAYS
@SEED
@FOLDERS
@click.option(
    "--deliveries", type=_Count(), multiple=True, help="Lines of JSON; several for growth [default: 200,000]."
)
@FOLDER
@click.option("--runs", type=click.IntRange(1, 50), default=1, show_default=True, help="Of each way, in turn.")
@OUT
@AS_JSON
def load(
    messages: tuple[int, ...],
    lines_: int,
    days: int,
    seed: int,
    folders: tuple[str, ...],
    deliveries: tuple[int, ...],
    folder: str,
    runs: int,
    out: str | None,
    as_json: bool,
) -> None:
    """Loads without the refresh, beside DuckDB's plain sorted table of the same Parquet and its typed table of the same JSON lines."""
    from analysis.bench import load as room

    with Bar() as bar:
        found = _fleets("bench load", folders, messages, folder, lines=lines_, days=days, seed=seed)
        told = room.measured(found, deliveries=deliveries or (200_000,), folder=folder, runs=runs, progress=bar)
    _print(told, as_json, out)


@bench.command()
@click.argument("folder")
@click.option(
    "--workers", "workers_", default="1,2", show_default=True, help="How many processes, one after the other."
)
@click.option("--shard", type=_Count(), default=250_000, show_default=True, help="Messages a shard.")
@click.option("--runs", type=click.IntRange(1, 50), default=3, show_default=True, help="Of each, in turn.")
def cluster(folder: str, workers_: str, shard: int, runs: int) -> None:
    """How much faster two workers count and explain a folder of `cluster export` than one; their tables must be equal."""
    from analysis.bench.spread import measured

    try:
        numbers = [int(n) for n in workers_.split(",")]
    except ValueError:
        raise UsageError("--workers must be numbers", where="bench cluster", fix="say 1,2") from None
    click.echo(measured(folder, workers=numbers, runs=runs, shard=shard).as_text())
