"""A page in, its blocks of code run on the demo fleet, and what went wrong out. ``python -m tests.docs.blocks`` writes the outputs shown anew.

| block | what is done with it |
| --- | --- |
| console | each ``$ linehealth …`` is run; the lines under it must be the first ones of its output |
| sh, or no language | each ``linehealth …`` is run; other commands must be of OTHERS |
| python | run, all of a page in one namespace |
| sql | run on the store, for reading |
| toml | read as a mapping file |
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import duckdb

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```([\w-]*)[^\n]*\n(.*?)^```$", re.M | re.S)
SNIPPET = re.compile(r'^--8<-- "(.+)"$', re.M)
SERVES = {"app", "endpoint", "up", "receive"}
"""Run until they are stopped: only their options are read."""
OUTSIDE = {"pull", "audit"}
"""Ask the vendor: only their options are read."""
LONG = {"bench", "cluster", "evaluate"}
"""Take minutes: only their options are read; their own tests run small ones."""
LATER = {"pull", "receive", "audit", "up"}
"""Commands that only some versions have: where one is missing it is passed over."""
OTHERS = (
    r"python3 -m venv \.venv( && .*)?",  # the two commands of the README: .ci/run, and tests of the demo
    r"\. \.venv/bin/activate",
    r"(\.venv/bin/)?pip install -c constraints\.txt -e (\.|\"\.\[(?P<extra>\w+)\]\")",
    r"export [A-Z_0-9]+=\S+",
    r"mkdocs build",  # tests/docs/test_site.py
)
"""Commands that are not ours: what they may be."""
WRITES = re.compile(
    r"linehealth (load|refresh|action|settings \w+=|alerts .*--(mark|send))|\.(load|add_action|keep_audit|load_actions|set_setting)\("
)

Run = Callable[..., tuple[int, str, str]]


@dataclass
class Block:
    """One fenced block."""

    language: str
    text: str
    line: int


@dataclass
class Ran:
    """What a page's blocks did."""

    wrong: list[str] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    parsed: list[list[str]] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    """Paths of this machine, and what pages call them."""


def source(page: Path) -> str:
    """Return a page's text, with the files that it takes in."""
    return SNIPPET.sub(lambda m: (ROOT / m[1]).read_text(), page.read_text())


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    return [Block(m[1], m[2], text[: m.start()].count("\n") + 1) for m in FENCE.finditer(text)]


def writes(page: Path) -> bool:
    """Say whether a page's blocks change the store."""
    return bool(WRITES.search("".join(b.text for b in blocks(source(page)))))


def commands(text: str) -> Iterator[str]:
    """Yield the command lines of a block, without prompt, comment and the path to the virtual environment."""
    for row in text.splitlines():
        row = re.sub(r"\s+#\s.*$", "", row).strip()
        if row and not row.startswith("#"):
            yield re.sub(r"^\.venv/bin/(?=linehealth\b)", "", row)


def _exists(name: str) -> bool:
    from analysis.cli import COMMANDS

    return name in COMMANDS


def _understood(words: list[str]) -> str:
    """Read a command's options and run nothing; what is wrong with them, or nothing."""
    from analysis.cli import cli

    found = cli.get_command(click.Context(cli), words[0])
    if found is None:
        return "no such command"
    try:
        with found.make_context(words[0], words[1:], resilient_parsing=False):
            return ""
    except click.ClickException as e:
        return e.format_message()


def output(words: list[str], run: Run, did: Ran) -> str | None:
    """Run one ``linehealth`` command; its output, or None where it is only read."""
    name = words[0]
    if name in LATER and not _exists(name):
        return None
    if name in SERVES | OUTSIDE | LONG:
        did.parsed.append(words)
        if told := _understood(words):
            did.wrong.append(f"linehealth {shlex.join(words)}: {told}")
        return None
    did.commands.append(words)
    code, out, err = run(*words)
    if code:
        did.wrong.append(f"linehealth {shlex.join(words)}: exit code {code}: {err.strip()}")
    for here, there in did.places.items():
        out = out.replace(here, there)
    return out


def _shell(block: Block, run: Run, did: Ran) -> None:
    for row in commands(block.text):
        if row.startswith("linehealth "):
            output(shlex.split(row)[1:], run, did)
        elif not any(re.fullmatch(other, row) for other in OTHERS):
            did.wrong.append(f"nobody says how to run: {row}")


def parts(text: str) -> list[tuple[str, list[str]]]:
    """Return a console block's commands, each with the lines shown under it."""
    found: list[tuple[str, list[str]]] = []
    for row in text.splitlines():
        if row.startswith("$ "):
            found.append((row[2:], []))
        elif found:
            found[-1][1].append(row)
    return found


def first(out: str, shown: int) -> list[str]:
    """Return the first lines of an output, and "..." where there are more."""
    rows = [row.rstrip() for row in out.rstrip().splitlines()]
    return rows[:shown] + (["..."] if len(rows) > shown else [])


def _console(block: Block, run: Run, did: Ran) -> None:
    for row, shown in parts(block.text):
        out = output(shlex.split(row)[1:], run, did)
        if out is None:
            continue
        told = [line for line in shown if line != "..."]
        expected = first(out, len(told))
        if shown != expected:
            did.wrong.append(
                f"{row}\n  shown:\n    " + "\n    ".join(shown) + "\n  is:\n    " + "\n    ".join(expected)
            )


def run_page(page: Path, run: Run, store: Path, files: Path) -> Ran:
    """Run every block of a page, in order, in the present folder."""
    did, space = Ran(places={str(files): "exports", str(store): "data/linehealth.duckdb"}), {"__name__": "__main__"}
    for block in blocks(source(page)):
        if block.language == "console":
            _console(block, run, did)
        elif block.language in ("", "sh"):
            _shell(block, run, did)
        elif block.language == "python":
            exec(compile("\n" * block.line + block.text, str(page), "exec"), space)
        elif block.language == "sql":
            with duckdb.connect(str(store), read_only=True) as con:
                assert con.execute(block.text).fetchall(), "the query finds nothing"
        elif block.language == "toml":
            assert tomllib.loads(block.text)["columns"]
        else:
            did.wrong.append(f"line {block.line}: nobody says how to run a block of {block.language}")
    return did


def prepared(folder: Path, files: Path, store: Path, *, own: bool) -> Path:
    """Prepare a folder to run a page in: exports/, and the store, or a copy where the page writes."""
    (folder / "exports").symlink_to(files)
    for name in ("reports", "alerts"):
        (folder / name).mkdir()
    return Path(shutil.copy(store, folder / "own.duckdb")) if own else store


def _rewrite() -> None:
    """Write the outputs that pages show anew, as many lines as they show now."""
    import os
    import subprocess
    import tempfile

    from analysis import pipeline
    from analysis.simulate import write_demo

    os.environ["LINEHEALTH_KEY"] = "a key that only the tests use"
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as at:
        write_demo(Path(at) / "fleet")
        pipeline.load(Path(at) / "fleet", store=Path(at) / "demo.duckdb")
        for page in PAGES:
            with tempfile.TemporaryDirectory() as own:
                store = prepared(Path(own), Path(at) / "fleet", Path(at) / "demo.duckdb", own=True)
                os.environ["LINEHEALTH_STORE"] = str(store)

                def run(row: str, own: str = own, at: str = at) -> str:
                    return subprocess.run([sys.executable, "-m", "analysis", *shlex.split(row)[1:]], cwd=own, capture_output=True, text=True, check=True).stdout.replace(f"{at}/fleet", "exports")  # fmt: skip

                def block(m: re.Match[str], run: Callable[[str], str] = run) -> str:
                    if m[1] != "console":
                        return m[0]
                    rows = []
                    for row, shown in parts(m[2]):
                        rows += [f"$ {row}", *first(run(row), len([r for r in shown if r != "..."]))]
                    return "```console\n" + "\n".join(rows) + "\n```"

                page.write_text(FENCE.sub(block, page.read_text()))


if __name__ == "__main__":
    _rewrite()
