"""Words on the command line in, verbs of the pipeline called: parses, prints, and turns errors into exit codes; no logic of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analysis.errors import LineHealthError, UsageError

if TYPE_CHECKING:
    import polars as pl

STORE = click.option(
    "--store",
    type=click.Path(),
    default=None,
    help="The store's file [default: $LINEHEALTH_STORE, else data/linehealth.duckdb].",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout, nothing else.")
LINE = click.option("--line", default=None, help="Only this line (E.164).")
SINCE = click.option("--since", default=None, help="From this day or time on, UTC where it names no zone.")
UNTIL = click.option("--until", default=None, help="Up to, not including, this day or time.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="linehealth", prog_name="linehealth")
def cli() -> None:
    """Why a messaging line went AT_RISK, since when, how sure, and what to fix first."""


def main() -> None:
    """Run the command line: errors are one sentence on stderr, and an exit code of contract.md, section 6."""
    try:
        cli(standalone_mode=False)
    except LineHealthError as e:
        _fail(str(e), e.exit_code)
    except click.exceptions.Abort:
        _fail("stopped; the store is as it was before this command", 1)
    except click.ClickException as e:
        hint = f"; see `{e.ctx.command_path} --help`" if isinstance(e, click.UsageError) and e.ctx else ""
        _fail(e.format_message().rstrip(".") + hint, e.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        _fail("stopped; the store is as it was before this command", 1)
    except MemoryError:
        _fail("this machine's memory is full; the store is as it was. Load the files one by one", 1)


def _fail(sentence: str, code: int) -> None:
    click.echo(f"linehealth: {sentence}", err=True)
    sys.exit(code)


def _json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


class _Bar:
    """A progress bar on stderr for whatever takes longer than two seconds."""

    AFTER_S = 2.0

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.bar: Any = None
        self.task: Any = None

    def __call__(self, what: str, done: float, total: float) -> None:
        if time.monotonic() - self.started < self.AFTER_S:
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

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.bar is not None:
            self.bar.stop()


@cli.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--map", "mapping", type=click.Path(), default=None, help="TOML file that names foreign columns (data/README.md)."
)
@click.option("--strict", is_flag=True, help="Exit with 1 if any row was quarantined.")
@STORE
@AS_JSON
def load(paths: tuple[str, ...], mapping: str | None, strict: bool, store: str | None, as_json: bool) -> None:
    """Load exports: webhook logs, or tables of messages, transitions and chats; files, folders, patterns."""
    from analysis import pipeline

    with _Bar() as bar:
        report = pipeline.load(list(paths), store=store, mapping=mapping, progress=bar)
    if as_json:
        _json(report.as_json())
    else:
        for source in report.sources:
            known = " (the same file was loaded before)" if source.known else ""
            click.echo(f"{source.path}: {source.kind}{known}\n  {_counts(vars(source))}")
            for note in source.notes:
                click.echo(f"  note: {note}")
        for path, reason in report.skipped:
            click.echo(f"{path}: skipped, {reason}")
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
        _fail(f"{report.totals['quarantined']:,} rows were quarantined (--strict); see `linehealth quarantine`", 1)


def _counts(counts: dict[str, Any]) -> str:
    return f"read {counts['read']:,} = " + " + ".join(
        f"{counts[c]:,} {c}" for c in ("inserted", "merged", "duplicates", "ignored", "quarantined")
    )


@cli.command()
@click.option("--full", is_flag=True, help="From scratch: every line and day.")
@STORE
@AS_JSON
def refresh(full: bool, store: str | None, as_json: bool) -> None:
    """Bring signals, health and explanations up to date (`load` does it by itself)."""
    from analysis import pipeline

    with _Bar() as bar:
        done = pipeline.refresh(store=store, full=full, progress=bar)
    _json(done) if as_json else click.echo(
        f"{done['lines']:,} lines, {done['days']:,} line-days, {done['transitions']:,} transitions are up to date"
    )


@cli.command()
@STORE
@AS_JSON
def quarantine(store: str | None, as_json: bool) -> None:
    """List what was refused, where, why, and how to fix it."""
    from analysis import pipeline

    rows = [{**r, "loaded_at": pipeline.iso(r["loaded_at"])} for r in pipeline.quarantine(store).to_dicts()]
    if as_json:
        _json(rows)
        return
    for r in rows:
        click.echo(f"{r['source']}:{r['position']}: {r['kind']}: {r['reason']} ({r['fix']})")
    click.echo(f"{len(rows):,} rows refused" if rows else "nothing was refused")


@cli.command()
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
        _write_frame(frame, Path(out))
        if not as_json:
            click.echo(f"{frame.height:,} rows written to {out}", err=True)
    if as_json:
        _json(pipeline.records(frame))
    elif out is None:
        click.echo(pipeline.as_csv(frame), nl=False)


def _write_frame(frame: pl.DataFrame, path: Path) -> None:
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


@cli.command()
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


@cli.command()
@STORE
@AS_JSON
def status(store: str | None, as_json: bool) -> None:
    """What the store holds, how fresh it is, how big."""
    from analysis import pipeline

    told = pipeline.status(store)
    if as_json:
        _json(told)
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


@cli.command()
@click.argument("directory", type=click.Path(file_okay=False))
@click.option(
    "--lines", "lines_", type=click.IntRange(1, 10_000), default=12, show_default=True, help="How many lines."
)
@click.option("--days", type=click.IntRange(3, 1000), default=60, show_default=True, help="How many days.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same files.")
@AS_JSON
def demo(directory: str, lines_: int, days: int, seed: int, as_json: bool) -> None:
    """Write a made-up fleet as real-shaped exports, with its planted causes in truth.json."""
    from analysis.simulate import write_demo

    truth = write_demo(Path(directory), lines=lines_, days=days, seed=seed)
    if as_json:
        _json(
            {
                "directory": directory,
                "lines": lines_,
                "days": days,
                "seed": seed,
                "transitions": len(truth["transitions"]),
            }
        )
    else:
        click.echo(
            f"{lines_} lines, {days} days, {len(truth['transitions'])} transitions with known causes in {directory}; load it: linehealth load {directory}"
        )


@cli.command()
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
        _json(rows)
        return
    for r in rows:
        mark = "" if r["value"] == r["default"] else f" (default {r['default']})"
        click.echo(f"{r['setting']} = {r['value']}{mark}  [{r['unit']}]\n  {r['help']} Source: {r['source']}.")


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Port on this machine.")
@click.option("--headless", is_flag=True, help="Do not open a browser.")
@click.option(
    "--demo",
    "on_demo",
    is_flag=True,
    help="On the made-up fleet, in a store of its own (data/demo.duckdb), made and loaded first.",
)
@STORE
def app(port: int, headless: bool, on_demo: bool, store: str | None) -> None:
    """Open the app on this store."""
    import os
    import subprocess

    from analysis.store import default_path

    script = Path(__file__).resolve().parent.parent / "app.py"
    if not script.exists():
        raise UsageError(
            "app.py is not beside the package", where=str(script), fix="run from a checkout: pip install -e ."
        )
    path = Path(store) if store else script.parent / "data" / "demo.duckdb" if on_demo else default_path()
    if on_demo and not path.exists():
        _make_demo(path)
    options = [f"--server.port={port}", *(["--server.headless=true"] if headless else [])]
    call = [sys.executable, "-m", "streamlit", "run", str(script), *options]
    sys.exit(subprocess.call(call, env={**os.environ, "LINEHEALTH_STORE": str(path.resolve())}, cwd=script.parent))


def _make_demo(store: Path) -> None:
    import tempfile

    from analysis import pipeline
    from analysis.simulate import write_demo

    click.echo("making the demo fleet and loading it, once …", err=True)
    with tempfile.TemporaryDirectory() as folder, _Bar() as bar:
        write_demo(Path(folder) / "demo-fleet")
        pipeline.load(Path(folder) / "demo-fleet", store=store, progress=bar)
