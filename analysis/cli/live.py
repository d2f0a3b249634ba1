"""Commands of live operation: gaps in the deliveries."""

from __future__ import annotations

import click

from analysis.cli.shared import AS_JSON, LINE, SINCE, STORE, UNTIL, print_json


@click.command()
@LINE
@SINCE
@UNTIL
@STORE
@AS_JSON
def gaps(line: str | None, since: str | None, until: str | None, store: str | None, as_json: bool) -> None:
    """Silences in which deliveries were probably lost: no data, not "no replies"."""
    from analysis import pipeline

    found = pipeline.records(pipeline.gaps(store, line=line, since=since, until=until))
    if as_json:
        print_json(found)
        return
    for gap in found:
        click.echo(
            f"{gap['line'] or 'all lines'}: nothing from {gap['start_at']} to {gap['end_at'] or 'now'}, "
            f"where {gap['expected']:,.0f} messages are usual"
        )
    click.echo(
        f"{len(found):,} gaps; `linehealth pull` fills those that the API still knows" if found else "no gaps found"
    )
