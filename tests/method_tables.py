"""Settings and constants in, their tables of METHOD.md out: ``python -m tests.method_tables`` rewrites them in place."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import analysis
from analysis.explain.constants import Constants

METHOD = Path(analysis.__file__).resolve().parent / "METHOD.md"
HEAD = "| constant (`analysis/explain/constants.py`) | value | meaning | source |\n|---|---|---|---|\n"


def value(field: dataclasses.Field) -> str:
    """Return a constant's value as METHOD.md shows it."""
    return repr(field.default).replace("'", "")


def constants() -> list[str]:
    """Return a row of the table for every constant of the explanations."""
    return [
        f"| `{f.name}` | {value(f)} {f.metadata['unit']} | {f.metadata['help']} | {f.metadata['source']} |"
        for f in dataclasses.fields(Constants)
    ]


if __name__ == "__main__":
    text = METHOD.read_text()
    table = re.compile(re.escape(HEAD) + r"(\|.*\n)*")
    METHOD.write_text(table.sub(lambda _: HEAD + "\n".join(constants()) + "\n", text))
