"""Commands that fill and describe a store: load, refresh, rebuild, quarantine, status, settings."""

from __future__ import annotations

import sys
from typing import Any

import click

from analysis.cli.shared import AS_JSON, PROGRESS, STORE, fail, print_json, progress_of, step_back
from analysis.errors import UsageError, one_line


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--map", "mapping", type=click.Path(), default=None, help="TOML file that names foreign columns (data/README.md)."
)
@click.option("--strict", is_flag=True, help="Exit with 1 if any row was quarantined.")
@PROGRESS
@STORE
@AS_JSON
def load(
    paths: tuple[str, ...], mapping: str | None, strict: bool, progress: str, store: str | None, as_json: bool
) -> None:
    """Load exports: webhook logs, or tables of messages, transitions and chats; files, folders, patterns."""
    from analysis import pipeline

    step_back()
    with progress_of(progress) as shown:
        report = pipeline.load(list(paths), store=store, mapping=mapping, progress=shown.step)
    if as_json:
        print_json(report.as_json())
    else:
        for source in report.sources:
            known = " (the same file was loaded before)" if source.known else ""
            click.echo(f"{one_line(source.path)}: {source.kind}{known}\n  {_counts(vars(source))}")
            for note in source.notes:
                click.echo(f"  note: {note}")
        for path, reason in report.skipped:
            click.echo(f"{one_line(path)}: skipped, {reason}")
        if len(report.sources) > 1:
            click.echo(f"in all: {_counts(report.totals)}")
        if report.totals["quarantined"]:
            click.echo("see what was refused, and why: linehealth quarantine")
    for error in report.failed:
        click.echo(f"linehealth: {error}", err=True)
    if report.failed or not report.sources:
        if not report.failed:
            click.echo(
                "linehealth: none of the files is an export we know; see data/README.md for what can be loaded",
                err=True,
            )
        sys.exit(1)
    if strict and report.totals["quarantined"]:
        fail(f"{report.totals['quarantined']:,} rows were quarantined (--strict); see `linehealth quarantine`", 1)


def _counts(counts: dict[str, Any]) -> str:
    from analysis.store.accounts import COUNTS

    return f"read {counts['read']:,} = " + " + ".join(f"{counts[c]:,} {c}" for c in COUNTS[1:])


@click.command()
@click.option("--full", is_flag=True, help="From scratch: every line and day.")
@PROGRESS
@STORE
@AS_JSON
def refresh(full: bool, progress: str, store: str | None, as_json: bool) -> None:
    """Bring signals, health and explanations up to date (`load` does it by itself)."""
    from analysis import pipeline

    step_back()
    with progress_of(progress) as shown:
        done = pipeline.refresh(store=store, full=full, progress=shown.step)
    print_json(done) if as_json else click.echo(
        f"{done['lines']:,} lines, {done['days']:,} line-days, {done['transitions']:,} transitions are up to date"
    )


@click.command()
@PROGRESS
@STORE
@AS_JSON
def rebuild(progress: str, store: str | None, as_json: bool) -> None:
    """Rebuild a damaged store: saves what can be read of it, loads its files again, keeps the damaged file."""
    from analysis import pipeline

    step_back()
    with progress_of(progress) as shown:
        report = pipeline.rebuild(store, progress=shown.step)
    if as_json:
        print_json(report.as_json())
        return
    saved = ", ".join(f"{n:,} {table}" for table, n in report.saved.items() if n)
    click.echo(f"saved from the damaged file: {saved or 'nothing'}")
    if report.unreadable:
        click.echo(f"could not be read: {', '.join(report.unreadable)}; files loaded again: {len(report.loaded):,}")
    for path, why in report.missing:
        click.echo(f"{path}: {why}")
    for name in report.elsewhere:
        click.echo(f"{name}: may be missing; `linehealth pull` reads what the vendor still has")
    click.echo(f"the damaged file is kept as {report.damaged}; remove it when you miss nothing")


@click.command()
@STORE
@AS_JSON
def quarantine(store: str | None, as_json: bool) -> None:
    """List what was refused, where, why, and how to fix it."""
    from analysis import pipeline

    rows = [{**r, "loaded_at": pipeline.iso(r["loaded_at"])} for r in pipeline.quarantine(store).to_dicts()]
    if as_json:
        print_json(rows)
        return
    for r in rows:
        click.echo(f"{one_line(r['source'])}:{r['position']}: {r['kind']}: {r['reason']} ({r['fix']})")
    click.echo(f"{len(rows):,} rows refused" if rows else "nothing was refused")


@click.command()
@STORE
@AS_JSON
def status(store: str | None, as_json: bool) -> None:
    """What the store holds, how fresh it is, how big."""
    from analysis import pipeline

    told = pipeline.status(store)
    if as_json:
        print_json(told)
        return
    health = ", ".join(f"{n} {h}" for h, n in told["counts_by_health"].items() if n)
    click.echo(f"{told['store']}: {told['size_bytes'] / 1e6:,.1f} MB, schema {told['schema_version']}")
    click.echo(
        f"{told['lines']:,} lines ({health or 'none'}; {told['flagged']} FLAGGED), {told['chats']:,} chats, {told['messages']:,} messages, {told['transitions']:,} transitions"
    )
    click.echo(
        f"data from {told['first_at'] or '–'} to {told['as_of'] or '–'}; last load {told['loaded_at'] or '–'}; {told['files']:,} files"
    )
    click.echo(
        f"{told['quarantined']:,} rows refused, {told['waiting']:,} events wait for the message or chat they belong to; days in {told['timezone']}"
    )


@click.command()
@click.argument("assignments", nargs=-1)
@STORE
@AS_JSON
def settings(assignments: tuple[str, ...], store: str | None, as_json: bool) -> None:
    """List settings with their sources, or set them: KEY=VALUE (KEY= for the default); they are kept in the store."""
    import dataclasses

    from analysis import pipeline

    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign:
            raise UsageError("not KEY=VALUE", where=text, fix="write it like timezone=America/New_York")
        pipeline.set_setting(key, value or None, store=store)
    chosen = pipeline.settings_or_default(store)
    rows = [
        {"setting": f.name, "value": getattr(chosen, f.name), "default": f.default, **f.metadata}
        for f in dataclasses.fields(chosen)
    ]
    if as_json:
        print_json(rows)
        return
    for r in rows:
        mark = "" if r["value"] == r["default"] else f" (default {r['default']})"
        click.echo(f"{r['setting']} = {r['value']}{mark}  [{r['unit']}]\n  {r['help']} Source: {r['source']}.")
