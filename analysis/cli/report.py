"""Commands of what is handed on: report, a period as one document; evidence, one change as a file for the vendor's support."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.cli.sending import SEND, delivered, outbox_of, targets_of, tell
from analysis.cli.shared import AS_JSON, SINCE, STORE, UNTIL, print_json
from analysis.errors import UsageError


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write to this .html, .md or .pdf file.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md", "pdf"]),
    default=None,
    help="By the file's ending where not given; PDF needs a Chromium.",
)
@SINCE
@UNTIL
@click.option(
    "--since-last",
    type=click.Path(path_type=Path),
    default=None,
    help="The report before it (HTML or Markdown): start where that one ended.",
)
@SEND
@STORE
@AS_JSON
def report(
    out: Path | None,
    form: str | None,
    since: str | None,
    until: str | None,
    since_last: Path | None,
    send: tuple[str, ...],
    store: str | None,
    as_json: bool,
) -> None:
    """A week of the fleet (or any period) as one file: what changed and why, who needs attention, what to do in order."""
    from analysis.notify import Message
    from analysis.report import ENDINGS
    from analysis.report import report as made

    if out is None and not send:
        raise UsageError("no place to write to", where="report", fix="give --out F.html, or --send")
    if out is not None and form is None and out.suffix.lower() not in ENDINGS:
        raise UsageError("the file must end in .html, .md or .pdf", where=str(out), fix="rename it, or name a --format")
    targets = targets_of(send) if send else []
    found = made(store, since=since, until=until, since_last=since_last)
    kind = form or (ENDINGS[out.suffix.lower()] if out is not None else "html")
    if out is not None:
        found.write(out, kind)  # type: ignore[arg-type]
        if not as_json:
            click.echo(f"{found.title} Written to {out}", err=True)
    period = found.says.period
    if as_json:
        print_json({"title": found.title, **found.says.about, "out": str(out) if out is not None else None})
    if targets:
        name = f"line-health-{period.start:%Y-%m-%d}-to-{period.end:%Y-%m-%d}"
        message = Message(
            name,
            f"Line Health: {found.title}",
            found.summary,
            {f"{name}.{kind}": found.content(kind)},  # type: ignore[arg-type]
        )
        outbox = outbox_of(store)
        tell(*delivered([message], targets, outbox), outbox)


@click.command()
@click.option("--line", required=True, help="The line (E.164).")
@click.option("--at", default=None, help="Time of the change; the line's last change for the worse where not given.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Write to this .zip file.")
@STORE
def evidence(line: str, at: str | None, out: Path, store: str | None) -> None:
    """One change for the vendor's support: reasons, hourly figures, failure codes, trace ids, sample message ids; no recipients."""
    from analysis import pipeline

    if out.suffix.lower() != ".zip":
        raise UsageError("the file must end in .zip", where=str(out), fix="rename it")
    packed = pipeline.evidence(store, line=line, at=at, out=out)
    click.echo(f"{len(packed) / 1000:,.0f} kB written to {out}", err=True)
