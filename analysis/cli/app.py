"""Commands to look at it: demo writes a made-up fleet, app opens the screens."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from analysis.cli.shared import AS_JSON, STORE, Bar, print_json
from analysis.errors import UsageError


@click.command()
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
        print_json(
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


@click.command()
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

    call = command_of(port, headless=headless)
    path = Path(store) if store else script().parent / "data" / "demo.duckdb" if on_demo else default_path()
    if on_demo and not path.exists():
        _make_demo(path)
    sys.exit(subprocess.call(call, env={**os.environ, "LINEHEALTH_STORE": str(path.resolve())}, cwd=script().parent))


def script() -> Path:
    """Return the app's script. Raises UsageError where this is no checkout."""
    found = Path(__file__).resolve().parents[2] / "app.py"
    if not found.exists():
        raise UsageError(
            "app.py is not beside the package", where=str(found), fix="run from a checkout: pip install -e ."
        )
    return found


def command_of(port: int, *, headless: bool, host: str | None = None) -> list[str]:
    """Return the words that run the app, from its own folder. Raises UsageError where this is no checkout."""
    options = [f"--server.port={port}", *(["--server.headless=true"] if headless else [])]
    options += [f"--server.address={host}"] if host else []
    return [sys.executable, "-m", "streamlit", "run", str(script()), *options]


def _make_demo(store: Path) -> None:
    import tempfile

    from analysis import pipeline
    from analysis.simulate import write_demo

    click.echo("making the demo fleet and loading it, once …", err=True)
    with tempfile.TemporaryDirectory() as folder, Bar() as bar:
        write_demo(Path(folder) / "demo-fleet")
        pipeline.load(Path(folder) / "demo-fleet", store=store, progress=bar.step)
