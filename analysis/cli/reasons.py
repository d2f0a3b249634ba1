"""Commands that read a store: signals and explain."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.cli.shared import AS_JSON, LINE, SINCE, STORE, UNTIL, print_json, write_frame


@click.command()
@click.option(
    "--grain", type=click.Choice(["day", "hour"]), default="day", show_default=True, help="A row a day, or an hour."
)
@LINE
@SINCE
@UNTIL
@click.option("--out", type=click.Path(), default=None, help="Write to this .parquet or .csv file.")
@STORE
@AS_JSON
def signals(
    grain: str,
    line: str | None,
    since: str | None,
    until: str | None,
    out: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Signals per line and day (or hour): replies against volume, new conversations, bursts, failures, chat health."""
    from analysis import pipeline

    frame = pipeline.signals(store, grain=grain, line=line, since=since, until=until)  # type: ignore[arg-type]
    if out is not None:
        write_frame(frame, Path(out))
        if not as_json:
            click.echo(f"{frame.height:,} rows written to {out}", err=True)
    if as_json:
        print_json(pipeline.records(frame))
    elif out is None:
        click.echo(pipeline.as_csv(frame), nl=False)


@click.command()
@LINE
@SINCE
@UNTIL
@STORE
@AS_JSON
def explain(line: str | None, since: str | None, until: str | None, store: str | None, as_json: bool) -> None:
    """Why each transition happened: drivers with shares, onset, evidence, chats to fix, what to do."""
    import msgspec

    from analysis import pipeline

    found = pipeline.explanations(store, line=line, since=since, until=until)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    if not found:
        click.echo("no transitions here")
    for e in found:
        click.echo(pipeline.as_text(e) + "\n")
