"""Commands past one machine: cluster export writes a store as Parquet by line, cluster signals and explain share the work among workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from analysis.cli.shared import AS_JSON, STORE, Bar, print_json

if TYPE_CHECKING:
    from analysis.cluster.run import Counted

_WORKERS = click.option(
    "--workers",
    "workers_",
    default="0",
    show_default=True,
    help="0: this process. A number: so many processes here. tcp://host:8786: a dask scheduler.",
)
_SHARD = click.option("--shard", type=click.IntRange(1), default=1_000_000, show_default=True, help="Messages a shard.")


@click.group()
def cluster() -> None:
    """The same results from many workers: this machine's, or a dask cluster's (pip install "linehealth[cluster]")."""


@cluster.command()
@click.argument("folder")
@STORE
@AS_JSON
def export(folder: str, store: str | None, as_json: bool) -> None:
    """Write a store as Parquet, messages by line, to a new folder or a URL (s3://bucket/name with s3fs installed)."""
    from analysis.cluster.export import export as written

    found = written(store, folder)
    if as_json:
        print_json({"folder": folder, **vars(found)})
    else:
        click.echo(f"{found.messages:,} messages of {found.lines:,} lines, {found.bytes / 1e6:,.1f} MB, in {folder}")


@cluster.command()
@click.argument("folder")
@click.option("--out", required=True, help="A new folder or URL for the tables signal_day and signal_hour.")
@_WORKERS
@_SHARD
@AS_JSON
def signals(folder: str, out: str, workers_: str, shard: int, as_json: bool) -> None:
    """Count the signals of an exported folder by day and hour: row for row those of `linehealth signals`."""
    from analysis.cluster.run import signals as counted

    with Bar() as bar:
        told = counted(
            folder, out, workers_=workers_, most=shard, progress=lambda done, all_: bar("signals", done, all_)
        )
    _say(told, out, as_json)


@cluster.command()
@click.argument("folder")
@click.option("--out", required=True, help="A new folder or URL for the table explanation.")
@_WORKERS
@_SHARD
@AS_JSON
def explain(folder: str, out: str, workers_: str, shard: int, as_json: bool) -> None:
    """Explain every transition of an exported folder: the documents that `linehealth load` measures, before any audit."""
    from analysis.cluster.explaining import explain as explained

    with Bar() as bar:
        told = explained(folder, out, workers_=workers_, most=shard, progress=bar)
    _say(told, out, as_json)


def _say(told: Counted, out: str, as_json: bool) -> None:
    if as_json:
        print_json({"out": out, **vars(told)})
    else:
        rows = ", ".join(f"{count:,} rows of {name}" for name, count in told.rows.items())
        click.echo(
            f"{told.shards:,} shards: {rows} in {out}; {told.seconds:.1f} s, {told.processor:.1f} s of processor"
        )
