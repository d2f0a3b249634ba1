"""The command that answers other programs: endpoint."""

from __future__ import annotations

import ipaddress

import click

from analysis.cli.shared import STORE


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on: this machine only, unless told otherwise.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8778, show_default=True, help="0 takes a free one.")
@STORE
def endpoint(host: str, port: int, store: str | None) -> None:
    """Answer GET /gate and /gate/LINE as JSON: ask before each send. Whatever goes wrong, the answer is to pause."""
    from analysis.serve.endpoint import LOCAL, application
    from analysis.serve.run import bound, serve

    only_here = _is_local(host)
    held = bound(host, port)
    name = f"[{host}]" if ":" in host else host
    who = "this machine only" if only_here else "every machine that can reach it, without a password"
    click.echo(f"answering http://{name}:{held.getsockname()[1]}/gate for {who}; Ctrl-C stops it", err=True)
    serve(application(store, hosts=LOCAL if only_here else ("*",)), held)


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
