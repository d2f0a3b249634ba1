"""The commands that run until they are stopped: endpoint and receive answer other programs, fold fills the store, up runs all."""

from __future__ import annotations

import ipaddress
import os
import sys
import threading
from pathlib import Path

import click

from analysis.cli.shared import AS_JSON, STORE, print_json, step_back

HOST = click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on: this machine only, unless told otherwise.",
)
PORT = click.IntRange(0, 65535)


@click.command()
@HOST
@click.option("--port", type=PORT, default=8778, show_default=True, help="0 takes a free one.")
@STORE
def endpoint(host: str, port: int, store: str | None) -> None:
    """Answer GET /gate and /gate/LINE as JSON: ask before each send. Whatever goes wrong, the answer is to pause."""
    from analysis.serve.endpoint import LOCAL, application
    from analysis.serve.run import bound, serve

    only_here = _is_local(host)
    held = bound(host, port)
    who = "this machine only" if only_here else "every machine that can reach it, without a password"
    click.echo(f"answering {_address(host, held.getsockname()[1])}/gate for {who}; Ctrl-C stops it", err=True)
    serve(application(store, hosts=LOCAL if only_here else ("*",)), held)


def _ask_audit(line: str, store: str | None) -> None:
    """Ask the vendor why, where the setting says so; beside the folding, since an audit takes minutes and its id is kept at once."""
    from analysis import pipeline

    def ask() -> None:
        outcome = pipeline.ask_after_transition(line, store=store)
        if outcome is not None and outcome.status == "failed":
            _say(f"the audit of {line} could not be asked for: {outcome.reason}")

    threading.Thread(target=ask, name="audit", daemon=True).start()


@click.command()
@HOST
@click.option("--port", type=PORT, default=8777, show_default=True, help="0 takes a free one.")
@STORE
def receive(host: str, port: int, store: str | None) -> None:
    """Receive the vendor's webhooks at POST /webhooks/linq; secrets from $LINQ_WEBHOOK_SECRET, several blank-separated.

    A delivery is acknowledged once it is on the disk, without content and with people under keyed names. /healthz and /metrics say how
    it goes.
    """
    from analysis.serve.receive import receive as run
    from analysis.serve.receiver import PATH
    from analysis.serve.run import bound
    from analysis.serve.signature import Signatures, secrets_of

    secrets = secrets_of()
    Signatures(secrets)  # what is wrong with them is told before the port is taken
    held = bound(host, port)
    who = "this machine only" if _is_local(host) else "every machine that can reach it: put HTTPS before it"
    click.echo(f"receiving at {_address(host, held.getsockname()[1])}{PATH} for {who}; Ctrl-C stops it", err=True)
    with held:
        run(store, held, secrets, say=_say)


@click.command()
@click.option("--watch", is_flag=True, help="Go on, at the pace of the settings, and refresh signals and reasons too.")
@click.option("--under", type=int, default=None, hidden=True, help="Stop when this process is gone.")
@STORE
@AS_JSON
def fold(watch: bool, under: int | None, store: str | None, as_json: bool) -> None:
    """Move what the receiver got into the store. `receive` and `up` do it by themselves."""
    from dataclasses import asdict

    from analysis import pipeline
    from analysis.serve.together import stopping

    step_back()
    if watch:
        with stopping() as told:
            if under is not None:
                threading.Thread(target=_end_with, args=(under, told.event), daemon=True).start()
            pipeline.watch(store, stopped=told, say=_say, worsened=lambda line: _ask_audit(line, store))
        return
    report = pipeline.fold(store)
    if report.read:
        pipeline.refresh(store=store)
    if as_json:
        print_json(asdict(report))
    else:
        click.echo(
            f"{report.read:,} deliveries of {report.segments:,} files: {report.inserted:,} inserted, {report.merged:,} merged, "
            f"{report.duplicates:,} duplicates, {report.ignored:,} ignored, {report.quarantined:,} quarantined"
        )


@click.command()
@HOST
@click.option("--port", type=PORT, default=8777, show_default=True, help="Port of the receiver.")
@click.option("--app-host", default="127.0.0.1", show_default=True, help="Address of the app.")
@click.option("--app-port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Port of the app.")
@STORE
def up(host: str, port: int, app_host: str, app_port: int, store: str | None) -> None:
    """Run app, receiver and periodic refresh together on one store. Ctrl-C (or SIGTERM) stops all; nothing is lost.

    A part that ends is started again; one that cannot run stops all, with a sentence.
    """
    from analysis.cli.app import command_of, script
    from analysis.serve.receive import GRACE_S
    from analysis.serve.signature import VARIABLE, Signatures, secrets_of
    from analysis.serve.together import API_KEY, Part, own_command, run_together, stopping
    from analysis.store import default_path

    Signatures(secrets_of())
    path = Path(store or default_path()).resolve()
    os.environ["LINEHEALTH_STORE"] = str(path)
    words = ("receive", "--host", host, "--port", str(port), "--store", str(path))
    parts = [
        Part("the receiver", own_command(*words), secrets=(VARIABLE, API_KEY), grace_s=GRACE_S),
        Part("the app", command_of(app_port, headless=True, host=app_host), folder=script().parent),
    ]
    if not _is_local(app_host):
        _say(
            f"the app at {_address(app_host, app_port)} is open to every machine that can reach it, without a password"
        )
    _say(f"the app is at {_address(app_host, app_port)}; Ctrl-C stops app and receiver")
    with stopping() as told:
        sys.exit(run_together(parts, stopped=told, say=_say))


def _say(sentence: str) -> None:
    click.echo(f"linehealth: {sentence}", err=True)


def _end_with(process: int, over: threading.Event) -> None:
    """Set ``over`` when this process is no longer the parent."""
    while os.getppid() == process:
        if over.wait(0.5):
            return
    over.set()


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
