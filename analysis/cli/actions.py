"""Commands of what people did: action add, load, list, remove; helped; spread."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.cli.shared import AS_JSON, LINE, STORE, fail, print_json


@click.group()
def action() -> None:
    """What people did about their lines: recorded by hand or from a CSV file."""


@action.command("add")
@click.option("--line", default=None, help="The line (E.164); the whole fleet where not given.")
@click.option("--at", default=None, help="When it began, UTC where it names no zone; now where not given.")
@click.option("--kind", required=True, help="pause, slower, new_copy, new_list, campaign, deploy or other.")
@click.option("--label", default=None, help="A few words; no message, number or address.")
@STORE
def add(line: str | None, at: str | None, kind: str, label: str | None, store: str | None) -> None:
    """Record one action."""
    from analysis import pipeline

    click.echo(pipeline.add_action(kind, line=line, at=at, label=label, store=store))


@action.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@STORE
@AS_JSON
def load(file: Path, store: str | None, as_json: bool) -> None:
    """Record the actions of a CSV FILE with the columns line,at,kind,label (line empty: the whole fleet)."""
    from analysis import pipeline

    report = pipeline.load_actions(file, store=store)
    if as_json:
        print_json(report.as_json())
    else:
        click.echo(f"{report.kept:,} actions kept, {report.new:,} of them new; {len(report.refused):,} rows refused")
        for row in report.refused:
            click.echo(f"  line {row.position}: {row.reason}; {row.fix}", err=True)
    if report.refused and not report.kept:
        fail(f"{file}: no row could be used", 1)


@action.command("list")
@LINE
@STORE
@AS_JSON
def list_(line: str | None, store: str | None, as_json: bool) -> None:
    """List recorded actions, oldest first."""
    from analysis import pipeline

    found = pipeline.records(pipeline.actions(store, line=line))
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("no action recorded; `linehealth action add` records one")
    for row in found:
        click.echo(
            f"{row['action_id']}  {row['at']}  {row['line'] or 'the whole fleet'}  {row['kind']}  {row['label'] or ''}".rstrip()
        )


@action.command("remove")
@click.argument("action_id")
@STORE
def remove(action_id: str, store: str | None) -> None:
    """Forget the action named ACTION_ID (`linehealth action list` names them)."""
    from analysis import pipeline

    pipeline.remove_action(action_id, store=store)


@click.command()
@LINE
@STORE
@AS_JSON
def helped(line: str | None, store: str | None, as_json: bool) -> None:
    """Whether each action helped: one verdict, beside the lines that did nothing; "can't tell" is a verdict."""
    from analysis import pipeline

    found = pipeline.helped(store, line=line)
    if as_json:
        print_json([row.as_json() for row in found])
        return
    if not found:
        click.echo("no action recorded, and no slow-down found after a fall")
    for row in found:
        click.echo(f"{row.title}\n    {row.sentence}")


@click.command()
@STORE
@AS_JSON
def spread(store: str | None, as_json: bool) -> None:
    """Whether a pattern moved on from a line that fell or slowed down to another one."""
    from analysis import pipeline

    found = pipeline.records(pipeline.spread(store))
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("no pattern moved on to another line")
    for row in found:
        click.echo(row["sentence"])
