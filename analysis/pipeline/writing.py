"""Paths of exports in, a store brought up to date out: sources meet the store, and marts are derived, only here."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from analysis.errors import LineHealthError, SettingsError, SourceError
from analysis.logs import note
from analysis.pipeline import people
from analysis.pipeline.derive import derive
from analysis.pipeline.moments import now
from analysis.pipeline.opened import Where, settings_in, settings_of, store_at
from analysis.pipeline.steps import Progress, Step
from analysis.settings import Settings
from analysis.sources import Found, Mapping, Pseudonyms, find, load_key, load_mapping
from analysis.sources.reading import Content, read_unchanged
from analysis.store import Store, accounts, marts, read
from analysis.store import load as merging


@dataclass
class LoadReport:
    """What a load did: one report a file, files skipped because they are no exports, and files that failed."""

    sources: list[accounts.SourceReport] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[LineHealthError] = field(default_factory=list)

    @property
    def totals(self) -> dict[str, int]:
        """Sums over the files of what contract.md, section 6 counts."""
        return {name: sum(getattr(s, name) for s in self.sources) for name in accounts.COUNTS}

    def as_json(self) -> dict[str, Any]:
        """Return the report as `linehealth load --json` prints it."""
        return {
            "sources": [s.as_json() for s in self.sources],
            "totals": self.totals,
            "skipped": [{"path": path, "reason": reason} for path, reason in self.skipped],
            "failed": [{"path": e.where, "reason": e.problem, "fix": e.fix} for e in self.failed],
        }


def load(
    paths: list[str | Path] | str | Path,
    *,
    store: Where = None,
    mapping: str | Path | None = None,
    progress: Progress | None = None,
    refreshed: bool = True,
) -> LoadReport:
    """Load exports into the store (made where there is none) and bring everything derived up to date.

    Args:
        paths: files, folders and globs; recognised by content, plain, gzip or zstd.
        store: path of the store; default as ``default_store``.
        mapping: TOML file that names foreign columns.
        progress: called with each Step while it works.
        refreshed: False leaves what is derived as it was, for the next load or ``refresh`` to bring up to date.

    Returns:
        counts by file. A file that is no export is in ``skipped`` where a folder brought it in, in ``failed`` where it was named.

    Raises:
        UsageError: nothing is there under a path. SettingsError: the mapping is wrong. StoreError: the store cannot be used.

    Example:
        >>> counts = lh.load("exports/").totals
        >>> counts["read"] == sum(n for name, n in counts.items() if name != "read")  # nothing is lost on the way
        True
    """
    target = store_at(store)
    found = find([paths] if isinstance(paths, str | Path) else list(paths))
    columns = load_mapping(mapping) if mapping is not None else None
    _to_current_key(target)
    report = LoadReport()
    known: dict[str, accounts.SourceReport] = {}
    if target.exists():
        with target.reader() as con:
            chosen = settings_in(con)
            ids = {f.path: _identify(f.path, columns) for f in found}
            known = {
                i.source_id: r
                for path, i in ids.items()
                if i and (r := accounts.known_source(con, i.source_id, str(path)))
            }
    else:
        chosen, ids = Settings(), {f.path: _identify(f.path, columns) for f in _alike(found)}
    pseudonyms = Pseudonyms(load_key())
    reading = _Reading(found, progress)
    with tempfile.TemporaryDirectory(prefix="linehealth-") as scratch:
        spooled: list[merging.Spooled] = []
        order: list[tuple[str, str]] = []
        for number, file in enumerate(found):
            content = ids.get(file.path)
            reading.begin(number)
            name = content.source_id if content is not None else None
            if name is not None and (name in known or any(s.source_id == name for s in spooled)):
                order.append((name, str(file.path)))
                continue
            spool = Path(scratch) / f"{number:05d}"
            spool.mkdir()
            try:
                facts = read_unchanged(
                    content,
                    file.path,
                    settings=chosen,
                    pseudonyms=pseudonyms,
                    mapping=columns,
                    spool=spool,
                    progress=reading.tell,
                )
            except SourceError as e:
                if file.named:
                    report.failed.append(e)
                else:
                    report.skipped.append((str(file.path), e.problem))
                continue
            order.append((facts.source_id, facts.path))
            if any(s.source_id == facts.source_id for s in spooled):
                continue  # it became what another one is since its size was looked at
            spooled.append(
                merging.Spooled(
                    facts.source_id,
                    facts.path,
                    facts.kind,
                    spool,
                    facts.read,
                    facts.ignored,
                    facts.refused,
                    facts.notes,
                    facts.late,
                )
            )
            reading.end(facts.read)
        if spooled:
            _write(target, spooled, chosen, known, reading.rows, progress, pseudonyms, refreshed=refreshed)
    report.sources = _in_order(order, known, spooled)
    note(
        "loaded",
        files=len(report.sources),
        failed_files=len(report.failed),
        skipped=len(report.skipped),
        **report.totals,
    )
    return report


def _to_current_key(target: Store) -> None:
    from analysis.pipeline.folding import fold  # which stands on this module

    people.forward(target, fold=fold)


class _Reading:
    """Tells how far the reading of all files is, each file weighed by its size."""

    def __init__(self, found: list[Found], progress: Progress | None) -> None:
        self.found, self.progress = found, progress
        self.sizes = [f.path.stat().st_size + 1.0 for f in found]
        self.number = self.rows = 0

    def begin(self, number: int) -> None:
        """Say that the file of this number is next."""
        self.number = number
        self.tell(0, 0.0)

    def end(self, rows: int) -> None:
        """Keep what a file gave."""
        self.tell(rows, 1.0)
        self.rows += rows

    def tell(self, rows: int, share: float) -> None:
        """Say how far the present file is: rows read of it, and its part that is done."""
        if self.progress is None:
            return
        done = (sum(self.sizes[: self.number]) + self.sizes[self.number] * share) / sum(self.sizes)
        name = self.found[self.number].path.name
        self.progress(Step("reading", done, self.number + 1, len(self.found), name, self.rows + rows))


def _alike(found: list[Found]) -> list[Found]:
    """Return the files that may hold the same as another one, by their sizes: of the others nothing is known to a store that is new."""
    sizes = Counter(f.path.stat().st_size for f in found)
    return [f for f in found if sizes[f.path.stat().st_size] > 1]


def _identify(path: Path, mapping: Mapping | None) -> Content | None:
    try:
        return Content.of(path, mapping)
    except SourceError:
        return None  # reading it will say why


def _write(
    target: Store,
    spooled: list[merging.Spooled],
    chosen: Settings,
    known: dict[str, accounts.SourceReport],
    rows: int,
    progress: Progress | None,
    names: Pseudonyms,
    *,
    refreshed: bool,
) -> None:
    # what was read stays in sight in the later stages
    tell = None if progress is None else lambda step: progress(replace(step, rows=rows))
    with target.writer() as con:
        if tell:
            tell(Step("merging"))
        people.current(con, names)
        fresh = []
        for source in spooled:  # another process may have loaded the same file meanwhile
            seen = accounts.known_source(con, source.source_id, source.path)
            if seen is None:
                fresh.append(source)
            else:
                known[source.source_id] = seen
        for source, report in zip(
            fresh, merging.merge(con, fresh, now=now(), tombstone=people.stones(con)), strict=True
        ):
            known[source.source_id] = report
        if refreshed:
            derive(con, chosen, tell)


def _in_order(
    order: list[tuple[str, str]], known: dict[str, accounts.SourceReport], spooled: list[merging.Spooled]
) -> list[accounts.SourceReport]:
    fresh = {s.source_id: s.path for s in spooled}
    reports = []
    for content, path in order:
        report = known[content]
        if fresh.get(content) == path or report.known:
            reports.append(report if report.path == path else _repeat(report, path))
        else:
            reports.append(_repeat(report, path))
    return reports


def _repeat(report: accounts.SourceReport, path: str) -> accounts.SourceReport:
    """Return the report of a file whose content another file of this load, or an earlier one, gave already."""
    duplicates = report.read - report.ignored - report.quarantined
    return accounts.SourceReport(
        path,
        report.kind,
        report.read,
        0,
        0,
        duplicates,
        report.ignored,
        report.quarantined,
        report.ignored_kinds,
        report.notes,
        known=True,
    )


def refresh(*, store: Where = None, full: bool = False, progress: Progress | None = None) -> dict[str, Any]:
    """Bring signals, health and explanations up to date with the facts.

    Every load does it by itself, for what it brought. ``full``: from scratch, every line and day.

    Returns the number of lines, days and transitions. Raises StoreError where there is no store.

    Example:
        >>> lh.refresh()["lines"]
        12
    """
    target = store_at(store)
    if not target.exists():
        with target.reader():
            pass
    with target.writer() as con:
        derived = derive(con, settings_in(con), progress, full=full)
    return {**derived, "full": full}


def set_setting(key: str, value: str | None, *, store: Where = None) -> Settings:
    """Keep one setting in the store (None: back to its default), recompute, and return the settings then in force.

    Raises:
        SettingsError: no such setting, or a value out of range; nothing is changed then.

    Example:
        >>> lh.set_setting("report_days", "14").report_days
        14
    """
    target = store_at(store)
    with target.writer() as con:
        kept = read.settings(con)
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value
        chosen = settings_of(kept | ({key: value} if value is not None else {}))
        if key not in {f.name for f in fields(Settings)}:
            raise SettingsError("there is no such setting", where=key, fix="`linehealth settings` lists them")
        marts.set_setting(con, key, value)
        derive(con, chosen, full=True)
    return chosen
