"""Commands of live operation: pull, the vendor's audits, gaps in the deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from analysis.cli.shared import AS_JSON, LINE, SINCE, STORE, UNTIL, Bar, print_json, step_back

if TYPE_CHECKING:
    from analysis.pipeline import AuditOutcome, Pulling, PullReport


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


@click.command()
@click.option("--since", default=None, help="Read again what changed from this day or time on, and nothing older.")
@click.option(
    "--dry-run", is_flag=True, help="Only list lines and chats, keep nothing, and say what the pull would cost."
)
@STORE
@AS_JSON
def pull(since: str | None, dry_run: bool, store: str | None, as_json: bool) -> None:
    """Lines, chats and messages from the vendor's API, as far as they changed; goes on where it was stopped.

    The key is $LINQ_API_V3_API_KEY, the pace $LINEHEALTH_PULL_RATE (2 calls a second).
    """
    from analysis import pipeline

    step_back()
    with Bar() as bar:
        report = pipeline.pull(store, since=since, dry_run=dry_run, progress=lambda step: _show(bar, step))
    if as_json:
        print_json(report.as_json())
        return
    click.echo(_told(report))


def _show(bar: Bar, step: Pulling) -> None:
    pace = f" ({step.calls:,} calls, {step.rate:.1f} a second)" if step.calls else ""
    of = f", chat {step.done:,} of {step.total:,}" if step.total else ""
    bar(f"{step.words}{of}{pace}", step.done, max(1, step.total))


def _told(report: PullReport) -> str:
    """Return a report in words."""
    if report.dry_run:
        minutes = report.seconds_needed / 60
        return (
            f"lines: {report.lines:,}; chats: {report.chats:,}, of which {report.to_read:,} changed since the last pull: "
            f"at least {report.calls_needed:,} calls, about {minutes:,.1f} min at this pace "
            f"({report.calls:,} calls were used to find out; nothing was kept)"
        )
    words = [
        f"lines: {report.lines:,}; chats: {report.chats:,}, read: {report.chats_read:,}"
        + (" (went on with a run that was stopped)" if report.resumed else "")
        + f": {report.inserted:,} rows new, {report.merged:,} with news, {report.duplicates:,} known, {report.quarantined:,} refused"
        + (f", {report.ignored:,} of forgotten people left out" if report.ignored else ""),
        f"{report.calls:,} calls ({report.repeats:,} repeats) in {report.seconds:,.0f} s",
    ]
    if report.gaps_before or report.gaps_after:
        words.append(f"gaps in the deliveries: {report.gaps_before:,} before, {report.gaps_after:,} now")
    if report.unsettled:
        words.append(f"{report.unsettled:,} lists kept moving while they were read: the next pull looks again")
    if report.gone:
        words.append(f"{report.gone:,} chats are no longer known to the API")
    return "\n".join(words)


@click.command()
@LINE
@STORE
@AS_JSON
def audit(line: str | None, store: str | None, as_json: bool) -> None:
    """Ask for the vendor's own audit, wait for it, and archive it: the vendor forgets it after 24 hours."""
    from analysis import pipeline

    with Bar() as bar:
        outcomes = pipeline.audit(store, line=line, progress=lambda words: bar(words, 0, 1))
    if as_json:
        print_json([outcome.as_json() for outcome in outcomes])
        return
    for outcome in outcomes:
        click.echo(_outcome(outcome))
    if not outcomes:
        click.echo("the key has no line that the store knows: pull first")


def _outcome(outcome: AuditOutcome) -> str:
    if outcome.status == "complete":
        named = ", ".join(outcome.drivers) or "nothing to act on"
        return f"{outcome.line}: {outcome.severity or 'no severity'}: {named} (archived; see `linehealth explain` and `agreement`)"
    again = f", ask again after {outcome.again_at}" if outcome.again_at else ""
    return f"{outcome.line}: {outcome.status}: {outcome.reason}{again}"
