"""A damaged store in, a sound one in its place out: what can be read is saved, files that are still there are loaded again."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from analysis.errors import StoreError
from analysis.pipeline.opened import Where, store_at
from analysis.pipeline.steps import Progress
from analysis.pipeline.writing import load, refresh
from analysis.sources import Pseudonyms, load_key
from analysis.sources.reading import source_id
from analysis.store import Store, kept, people, salvage


@dataclass
class RebuildReport:
    """What a rebuild saved, loaded again and could not get back."""

    saved: dict[str, int] = field(default_factory=dict)
    """Rows by table that were read from the damaged file."""
    unreadable: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    """Files loaded again."""
    missing: list[tuple[str, str]] = field(default_factory=list)
    """Files that could not be loaded again: path and why."""
    elsewhere: list[str] = field(default_factory=list)
    """Days of the receiver and of pull whose rows may be missing: `linehealth pull` reads what the vendor still has."""
    damaged: str = ""
    """Where the damaged file is kept."""

    def as_json(self) -> dict[str, Any]:
        """Return the report as `linehealth rebuild --json` prints it."""
        return asdict(self) | {"missing": [{"path": path, "reason": why} for path, why in self.missing]}


def rebuild(store: Where = None, *, progress: Progress | None = None) -> RebuildReport:
    """Rebuild a damaged store from what can be read of it and from the files that were loaded; the damaged file is kept.

    Raises:
        StoreError: no store there, or it is not damaged.
    """
    target, report = store_at(store), RebuildReport()
    if not target.exists():
        raise StoreError(f"no store at {target.where}", fix="load exports first: linehealth load PATH")
    with target.alone():
        if salvage.is_sound(target.path):
            raise StoreError("the store is not damaged", where=target.where, fix="nothing was changed")
        place = target.path.with_name(f".{target.path.name}.rebuild")
        shutil.rmtree(place, ignore_errors=True)  # of a killed rebuild
        place.mkdir(mode=0o700)
        try:
            fresh = Store(place / target.path.name)
            _fill(fresh, target.path, report, progress)
            report.damaged = str(salvage.swap(fresh.path, target.path))
            kept.list_path(fresh.path).replace(kept.list_path(target.path))
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return report


def _fill(fresh: Store, broken: Path, report: RebuildReport, progress: Progress | None) -> None:
    listed = {k.source_id: k for k in kept.read(broken)}
    with fresh.writer() as con:
        told = salvage.save(con, broken)
        # every store is brought forward before it is written: where it cannot say, its names are those of the keys there are
        people.keep_generation(con, salvage.generation(broken) or Pseudonyms(load_key()).generation)
        report.saved = {table: n for table, n in told.items() if n is not None}
        report.unreadable = [table for table, n in told.items() if n is None]
        lost = any(told[table] is None for table in salvage.FROM_FILES)
        if lost:
            salvage.forget_files(con, [i for i, k in listed.items() if k.is_file])
    if lost:
        files = [k for k in listed.values() if k.is_file]
        found = [(k, _gone(k)) for k in files]
        there = [k for k, why in found if why is None]
        report.missing = [(k.path, why) for k, why in found if why is not None]
        report.elsewhere = [f"{k.path} ({k.read:,} rows)" for k in listed.values() if not k.is_file]
        if there:
            done = load([k.path for k in there], store=fresh, progress=progress)
            report.loaded = [s.path for s in done.sources]
            report.missing += [(e.where, e.problem) for e in done.failed]
    refresh(store=fresh, full=True, progress=progress)


def _gone(k: kept.Kept) -> str | None:
    """Return why a file cannot be loaded again as it was, or None."""
    path = Path(k.path)
    if not path.is_file():
        return "no longer there"
    if source_id(path, None) != k.source_id:
        return "its content is another one now, or it was loaded with --map: load it by hand"
    return None
