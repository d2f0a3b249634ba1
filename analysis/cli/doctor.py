"""`linehealth doctor`: what is in order with the installation, what is not, and what to do."""

from __future__ import annotations

import sys

import click

from analysis.cli.shared import AS_JSON, STORE, print_json


@click.command()
@STORE
@AS_JSON
def doctor(store: str | None, as_json: bool) -> None:
    """Check versions, key, rights, store, data, spool, disk and Chromium; exit code 1 where something fails."""
    from analysis.doctor import FAIL, checked

    found = checked(store)
    if as_json:
        print_json([check.as_json() for check in found])
    else:
        for check in found:
            click.echo(f"{check.state:<4}  {check.name}: {check.says}" + (f"; {check.fix}" if check.fix else ""))
    sys.exit(any(check.state == FAIL for check in found))
