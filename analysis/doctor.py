"""An installation in; one finding a part of it out, each with what to do. Shows no secret, and changes nothing."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import platformdirs

from analysis import pipeline
from analysis.errors import LineHealthError
from analysis.report.pdf import browser
from analysis.sources.pseudonym import key_path, load_key

OK, WARN, FAIL = "ok", "warn", "fail"
LIBRARIES = ("duckdb", "polars", "streamlit", "altair")


@dataclass(frozen=True)
class Check:
    """One finding: its part, ok, warn or fail, what was found, what to do."""

    name: str
    state: str
    says: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """Return it as `linehealth doctor --json` prints it."""
        return asdict(self)


def checked(store: pipeline.Where = None) -> list[Check]:
    """Return every finding; a part that cannot be looked at is a finding too."""
    path = Path(str(store)) if store is not None else pipeline.default_store()
    found: list[Check] = []
    for name, look in PARTS.items():
        try:
            found += look(path)
        except LineHealthError as e:
            found.append(Check(name, FAIL, e.problem, e.fix))
        except OSError as e:
            found.append(Check(name, FAIL, f"cannot be looked at ({e.strerror})", "correct the rights"))
    return found


def _versions(path: Path) -> Iterator[Check]:
    told = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    yield Check("versions", OK, f"Python {sys.version.split()[0]}, {told}")
    pins = Path(__file__).resolve().parents[1] / "constraints.txt"
    if not pins.exists():
        return
    other = []
    for name, pin in re.findall(r"^([\w.-]+)==(\S+)$", pins.read_text("utf-8"), re.MULTILINE):
        try:
            if version(name) != pin:
                other.append(name)
        except PackageNotFoundError:
            continue  # an extra that is not wanted
    fix = "pip install -e . -c constraints.txt" if other else ""
    says = f"other versions than tested: {', '.join(other)}" if other else "as tested"
    yield Check("pinned versions", WARN if other else OK, says, fix)


def _key(path: Path) -> Iterator[Check]:
    if "LINEHEALTH_KEY" not in os.environ and not key_path().exists():
        yield Check("key", WARN, "there is none yet", "the first load makes one; keep a copy of it in a safe place")
        return
    load_key()
    yield Check("key", OK, "from $LINEHEALTH_KEY" if "LINEHEALTH_KEY" in os.environ else str(key_path()))


def _rights(path: Path) -> Iterator[Check]:
    own = [path, path.with_name(f"{path.name}.sources.json"), path.with_name(f"{path.name}.spool"),
           path.with_name(f"{path.name}.pull"), Path(platformdirs.user_config_dir("linehealth")) / "notify"]  # fmt: skip
    there = [p for p in own if p.exists()]
    others = [p for p in there if os.name == "posix" and stat.S_IMODE(p.stat().st_mode) & 0o077]
    for p in others:
        yield Check("rights", FAIL, f"others may use {p}", f"run: chmod go-rwx {p}")
    if not others:
        yield Check("rights", OK, f"owner only ({len(there)} looked at)")


def _store(path: Path) -> Iterator[Check]:
    if not path.exists():
        yield Check("store", WARN, f"none at {path}", "load exports first: linehealth load PATH")
        return
    told = pipeline.status(path)
    yield Check("store", OK, f"{path}: schema {told['schema_version']}, data to {told['as_of'] or 'nothing yet'}")
    silent = pipeline.freshness(path)
    lost = silent.filter(silent["silence"].eq_missing("gap")).height
    yield Check("freshness", WARN if lost else OK, f"{lost} of {silent.height} lines are silent where they should not be",
                "check that the receiver runs, then `linehealth pull`" if lost else "")  # fmt: skip
    gaps = pipeline.gaps(path).height
    yield Check("gaps", WARN if gaps else OK, f"{gaps:,} silences in which deliveries were probably lost",
                "see `linehealth gaps`; `linehealth pull` fills those that the API still knows" if gaps else "")  # fmt: skip


def _disk(path: Path) -> Iterator[Check]:
    folder = next(p for p in (path.parent.resolve(), *path.parent.resolve().parents) if p.is_dir())
    needed, free = (path.stat().st_size if path.exists() else 0), shutil.disk_usage(folder).free
    fix = "free some: a write makes a copy of the store first"
    state = FAIL if free < needed else WARN if free < 3 * needed else OK
    yield Check(
        "disk", state, f"{free / 1e6:,.0f} MB free, a write needs {needed / 1e6:,.0f}", "" if state == OK else fix
    )
    left = [*folder.glob(f".{path.name}.*.new*"), *folder.glob(f".{path.name}.rebuild")]
    yield Check("leftovers", WARN if left else OK, f"{len(left)} copies of writers at work or killed",
                "the next load removes them, where none is at work" if left else "")  # fmt: skip


def _spool(path: Path) -> Iterator[Check]:
    spool = pipeline.spool_of(path)
    if not spool.folder.is_dir():
        return
    files, size, _ = spool.waiting()
    problem = str(spool.told().get("problem") or "")
    yield Check("spool", WARN if files > 100 or problem else OK, f"{files:,} files, {size / 1e6:,.1f} MB not in the store yet",
                "run `linehealth fold` and read what it says" if files > 100 or problem else "")  # fmt: skip


def _chromium(path: Path) -> Iterator[Check]:
    found = browser()
    fix = "only PDF reports need one: install chromium, or name one in $LINEHEALTH_CHROMIUM"
    yield Check("chromium", OK if found else WARN, found or "none", "" if found else fix)


PARTS: dict[str, Callable[[Path], Iterator[Check]]] = {
    "versions": _versions, "key": _key, "rights": _rights, "store": _store, "disk": _disk, "spool": _spool, "chromium": _chromium,
}  # fmt: skip
