"""Words on the command line in, verbs of the pipeline called: parses, prints, and turns errors into exit codes; no logic of its own."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module

import click

from analysis import logs
from analysis.cli.shared import fail
from analysis.errors import LineHealthError, UsageError

# where each command lives: a module is imported when its command is asked for
COMMANDS = {
    "load": "data",
    "refresh": "data",
    "rebuild": "data",
    "quarantine": "data",
    "status": "data",
    "settings": "data",
    "signals": "reasons",
    "explain": "reasons",
    "what-if": "reasons",
    "progress": "reasons",
    "agreement": "reasons",
    "forecast": "ahead",
    "gate": "ahead",
    "plan": "ahead",
    "alerts": "ahead",
    "thresholds": "ahead",
    "endpoint": "serve",
    "receive": "serve",
    "fold": "serve",
    "up": "serve",
    "replay": "ahead",
    "action": "actions",
    "helped": "actions",
    "spread": "actions",
    "gaps": "live",
    "report": "report",
    "evidence": "report",
    "pull": "live",
    "audit": "live",
    "key": "people",
    "forget": "people",
    "evaluate": "trials",
    "bench": "bench",
    "doctor": "doctor",
    "cluster": "cluster",
    "demo": "app",
    "app": "app",
}


class _Commands(click.Group):
    """A group that imports a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"analysis.cli.{COMMANDS[cmd_name]}"), cmd_name.replace("-", "_"))
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="linehealth", prog_name="linehealth")
@click.option(
    "--log",
    "log_file",
    default=None,
    metavar="FILE",
    help="Append what happens as JSON lines: run id, counts, seconds, never values; - is stderr [default: $LINEHEALTH_LOG, else nowhere].",
)
def cli(log_file: str | None) -> None:
    """Why a messaging line went AT_RISK, since when, how sure, and what to fix first."""
    try:
        logs.configure(log_file)
        if log_file:
            os.environ[logs.VARIABLE] = log_file  # for the processes that are started
    except OSError as e:
        raise UsageError(
            "the log cannot be written", where="--log", fix=f"name a file that can be ({e.strerror})"
        ) from None


def main() -> None:
    """Run the command line: errors are one sentence on stderr, and an exit code of contract.md, section 6."""
    began, code = time.perf_counter(), 0
    try:
        _run()
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 1
        raise
    finally:
        command = next((word for word in sys.argv[1:] if word in COMMANDS), "help")
        logs.note("ended", command=command, exit=code, seconds=time.perf_counter() - began)


def _run() -> None:
    try:
        cli(standalone_mode=False)
    except LineHealthError as e:
        fail(str(e), e.exit_code)
    except click.exceptions.Abort:
        fail("stopped; the store is as it was before this command", 1)
    except click.ClickException as e:
        hint = f"; see `{e.ctx.command_path} --help`" if isinstance(e, click.UsageError) and e.ctx else ""
        fail(e.format_message().rstrip(".") + hint, e.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        fail("stopped; the store is as it was before this command", 1)
    except MemoryError:
        fail("this machine's memory is full; the store is as it was. Load the files one by one", 1)
