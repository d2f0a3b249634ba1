"""Commands that read a store: signals, explain, and what comes of an explanation: what-if, progress, agreement."""

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


_AT = click.option("--at", default=None, help="Time of the worsening; the line's latest where not given.")
_OF_LINE = click.option("--line", required=True, help="The line (E.164).")


@click.command("what-if")
@_OF_LINE
@_AT
@STORE
@AS_JSON
def what_if(line: str, at: str | None, store: str | None, as_json: bool) -> None:
    """What a worsening would have looked like without the burst, at the usual pace, without late follow-ups; in this model."""
    from analysis import pipeline

    found = pipeline.what_if(store, line=line, at=at)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("nothing to leave out: no burst, pace or late follow-ups before this change")
    for scenario in found:
        click.echo(f"{scenario['text']}\n  {pipeline.changed_signals(scenario['signals'])}")


@click.command()
@_OF_LINE
@_AT
@click.option("--until", default=None, help="Look up to then; else to the line's return to health or the latest event.")
@STORE
@AS_JSON
def progress(line: str, at: str | None, until: str | None, store: str | None, as_json: bool) -> None:
    """What has been done of a worsening's playbook, as the data since shows."""
    from analysis import pipeline

    found = pipeline.progress(store, line=line, at=at, until=until)
    if as_json:
        print_json(found)
        return
    for step in found:
        mark = {True: "[x]", False: "[ ]", None: "[?]"}[step["done"]]
        click.echo(f"{mark} {step['action']}\n    {step['since']}")


@click.command()
@LINE
@click.option("--monthly", is_flag=True, help="A row a month and driver, over all months that have an audit.")
@STORE
@AS_JSON
def agreement(line: str | None, monthly: bool, store: str | None, as_json: bool) -> None:
    """How often the vendor's archived audits and our explanations agree, per driver."""
    from analysis import pipeline

    frame = pipeline.agreement(store, line=line, monthly=monthly)
    if as_json:
        print_json(pipeline.records(frame))
    else:
        click.echo(pipeline.as_csv(frame), nl=False)
