"""START HERE: the whole flow on one screen. Exports -> facts -> store -> signals, health, explanations -> frames for app, notebook and report.

Every verb opens the store, does one thing and closes it; the command line, the app, the notebooks and the reports call these
and hold no logic of their own. Sources meet the store, and signals meet explanations, only here.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl

from analysis.errors import LineHealthError, SettingsError, SourceError, UsageError
from analysis.explain import explain
from analysis.schema import Explanation
from analysis.settings import Settings
from analysis.signals import health as timeline
from analysis.signals import panel
from analysis.sources import Mapping, Pseudonyms, find, load_key, load_mapping, read_source
from analysis.sources.reading import source_id
from analysis.store import Store, default_path, marts, read
from analysis.store import load as merging

__all__ = [
    "LoadReport",
    "default_store",
    "explanations",
    "failures",
    "lines",
    "load",
    "messages",
    "openers",
    "quarantine",
    "refresh",
    "set_setting",
    "settings",
    "signals",
    "snapshot",
    "sources",
    "spells",
    "status",
    "transitions",
]

Progress = Callable[[str, float, float], None]
Where = str | Path | Store | None
When = str | date | datetime | None


@dataclass
class LoadReport:
    """What a load did: one report a file, files skipped because they are no exports, and files that failed."""

    sources: list[merging.SourceReport] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[LineHealthError] = field(default_factory=list)

    @property
    def totals(self) -> dict[str, int]:
        """Sums over the files of what contract.md, section 6 counts."""
        names = ("read", "inserted", "merged", "duplicates", "ignored", "quarantined")
        return {name: sum(getattr(s, name) for s in self.sources) for name in names}

    def as_json(self) -> dict[str, Any]:
        """Return the report as `linehealth load --json` prints it."""
        return {
            "sources": [s.as_json() for s in self.sources],
            "totals": self.totals,
            "skipped": [{"path": path, "reason": reason} for path, reason in self.skipped],
            "failed": [{"path": e.where, "reason": e.problem, "fix": e.fix} for e in self.failed],
        }


def _store(store: Where) -> Store:
    return store if isinstance(store, Store) else Store(store)


def default_store() -> Path:
    """Return the store that every verb uses where none is named."""
    return default_path()


# ------------------------------------------------------------------ writing


def load(
    paths: list[str | Path] | str | Path,
    *,
    store: Where = None,
    mapping: str | Path | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Load exports into the store (made where there is none) and bring everything derived up to date.

    Args:
        paths: files, folders and globs; recognised by content, plain, gzip or zstd.
        store: path of the store; default as ``default_store``.
        mapping: TOML file that names foreign columns.
        progress: called with (what, done, total) while it works.

    Returns:
        counts by file. A file that is no export is in ``skipped`` where a folder brought it in, in ``failed`` where it was named.

    Raises:
        UsageError: nothing is there under a path. SettingsError: the mapping is wrong. StoreError: the store cannot be used.
    """
    target = _store(store)
    found = find([paths] if isinstance(paths, str | Path) else list(paths))
    columns = load_mapping(mapping) if mapping is not None else None
    report = LoadReport()
    known: dict[str, merging.SourceReport] = {}
    if target.exists():
        with target.reader() as con:
            chosen = _settings(con)
            ids = {f.path: _identify(f.path, columns) for f in found}
            known = {i: r for path, i in ids.items() if i and (r := merging.known_source(con, i, str(path)))}
    else:
        chosen, ids = Settings(), {f.path: _identify(f.path, columns) for f in found}
    pseudonyms = Pseudonyms(load_key())
    with tempfile.TemporaryDirectory(prefix="linehealth-") as scratch:
        spooled: list[merging.Spooled] = []
        order: list[tuple[str, str]] = []
        for number, file in enumerate(found):
            content = ids[file.path]
            if content is not None and (content in known or any(s.source_id == content for s in spooled)):
                order.append((content, str(file.path)))
                continue
            spool = Path(scratch) / f"{number:05d}"
            spool.mkdir()
            try:
                facts = read_source(
                    file.path, settings=chosen, pseudonyms=pseudonyms, mapping=columns, spool=spool, progress=progress
                )
            except SourceError as e:
                if file.named:
                    report.failed.append(e)
                else:
                    report.skipped.append((str(file.path), e.problem))
                continue
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
                )
            )
            order.append((facts.source_id, facts.path))
        if spooled:
            _write(target, spooled, chosen, known, progress)
    report.sources = _in_order(order, known, spooled)
    return report


def _identify(path: Path, mapping: Mapping | None) -> str | None:
    try:
        return source_id(path, mapping)
    except SourceError:
        return None  # reading it will say why


def _write(
    target: Store,
    spooled: list[merging.Spooled],
    chosen: Settings,
    known: dict[str, merging.SourceReport],
    progress: Progress | None,
) -> None:
    with target.writer() as con:
        if progress:
            progress("merging", 0, 2)
        fresh = []
        for source in spooled:  # another process may have loaded the same file meanwhile
            seen = merging.known_source(con, source.source_id, source.path)
            if seen is None:
                fresh.append(source)
            else:
                known[source.source_id] = seen
        for source, report in zip(fresh, merging.merge(con, fresh, now=_now()), strict=True):
            known[source.source_id] = report
        if progress:
            progress("computing signals and reasons", 1, 2)
        _derive(con, chosen)
        if progress:
            progress("done", 2, 2)


def _in_order(
    order: list[tuple[str, str]], known: dict[str, merging.SourceReport], spooled: list[merging.Spooled]
) -> list[merging.SourceReport]:
    fresh = {s.source_id: s.path for s in spooled}
    reports = []
    for content, path in order:
        report = known[content]
        if fresh.get(content) == path or report.known:
            reports.append(report if report.path == path else _repeat(report, path))
        else:
            reports.append(_repeat(report, path))
    return reports


def _repeat(report: merging.SourceReport, path: str) -> merging.SourceReport:
    """Return the report of a file whose content another file of this load, or an earlier one, gave already."""
    duplicates = report.read - report.ignored - report.quarantined
    return merging.SourceReport(
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
    """Bring signals, health and explanations up to date with the facts, from scratch: so far ``full`` is the only way there is.

    Returns the number of lines, days and transitions. Raises StoreError where there is no store.
    """
    target = _store(store)
    if not target.exists():
        with target.reader():
            pass
    with target.writer() as con:
        if progress:
            progress("computing signals and reasons", 0, 1)
        derived = _derive(con, _settings(con))
        if progress:
            progress("done", 1, 1)
    return {**derived, "full": True}


def _derive(con: Any, chosen: Settings) -> dict[str, int]:
    """Facts to marts: the heart of the flow, each stage named once."""
    as_of = read.as_of(con)
    changes = read.changes(con)
    spells_, transitions_ = timeline.spells(changes), timeline.transitions(changes)
    messages_, chats_, chat_health_ = read.messages(con), read.chats(con), read.chat_health(con)
    counted = {}
    for grain in ("day", "hour"):
        frame = panel.signals(
            messages_, chats_, chat_health_, spells_, as_of=as_of or _now(), settings=chosen, grain=grain
        )
        marts.replace(con, f"signal_{grain}", frame)
        counted[grain] = frame
    marts.replace(con, "spell", spells_)
    marts.replace(con, "transition", transitions_)
    found = explain(messages_, chats_, chat_health_, spells_, transitions_, as_of=as_of or _now(), settings=chosen)
    marts.replace(con, "explanation", _explanation_rows(found))
    return {
        "lines": counted["day"]["line"].n_unique(),
        "days": counted["day"].height,
        "transitions": transitions_.height,
    }


def _explanation_rows(found: list[Explanation]) -> pl.DataFrame:
    rows = [
        (
            e.line,
            _instant(e.at),
            e.kind,
            e.drivers[0].driver,
            e.headline,
            _instant(e.onset) if e.onset else None,
            e.confidence,
            msgspec.json.encode(e).decode(),
        )
        for e in found
    ]
    return pl.DataFrame(rows, schema=marts.EXPLANATIONS, orient="row")


def set_setting(key: str, value: str | None, *, store: Where = None) -> Settings:
    """Keep one setting in the store (None: back to its default), recompute, and return the settings then in force.

    Raises:
        SettingsError: no such setting, or a value out of range; nothing is changed then.
    """
    target = _store(store)
    with target.writer() as con:
        kept = read.settings(con)
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value
        chosen = _settings_of(kept | ({key: value} if value is not None else {}))
        if key not in {f.name for f in fields(Settings)}:
            raise SettingsError("there is no such setting", where=key, fix="`linehealth settings` lists them")
        marts.set_setting(con, key, value)
        _derive(con, chosen)
    return chosen


# ------------------------------------------------------------------ reading


@contextlib.contextmanager
def _reading(store: Where) -> Iterator[Any]:
    with _store(store).reader() as con:
        yield con


def _settings(con: Any) -> Settings:
    return _settings_of(read.settings(con))


def _settings_of(kept: dict[str, str]) -> Settings:
    """Return settings from their text; a word that is no setting, or no value of its type, is an error."""
    defaults = Settings()
    known = {f.name: type(getattr(defaults, f.name)) for f in fields(Settings)}
    values: dict[str, Any] = {}
    for key, text in kept.items():
        if key not in known:
            raise SettingsError("there is no such setting", where=key, fix="`linehealth settings` lists them")
        try:
            values[key] = known[key](text) if known[key] is not bool else text.lower() in ("1", "true", "yes")
        except ValueError:
            raise SettingsError("the value must be a number", where=key, fix="give a number in its range") from None
    return Settings(**values)


def settings(store: Where = None) -> Settings:
    """Return the settings in force for a store."""
    with _reading(store) as con:
        return _settings(con)


def snapshot(store: Where = None) -> str:
    """Return a word that changes whenever the store's content does; empty where there is no store."""
    return _store(store).snapshot()


def signals(
    store: Where = None,
    *,
    grain: Literal["day", "hour"] = "day",
    line: str | None = None,
    since: When = None,
    until: When = None,
) -> pl.DataFrame:
    """Return the signals of contract.md, section 3: SIGNALS_DAY (key line, day) or SIGNALS_HOUR (key line, hour).

    ``since`` and ``until`` bound the day or hour, the first included, the second not; text is ISO 8601, UTC where it names no zone.
    """
    if grain not in ("day", "hour"):
        raise UsageError("grain must be day or hour", where="signals")
    with _reading(store) as con:
        return read.signals(con, grain, line=line, since=_moment(since), until=_moment(until))


def spells(store: Where = None, *, line: str | None = None) -> pl.DataFrame:
    """Return time in each state of health and status: SPELLS."""
    with _reading(store) as con:
        return read.spells(con, line=line)


def transitions(
    store: Where = None, *, line: str | None = None, since: When = None, until: When = None
) -> pl.DataFrame:
    """Return changes of health and status: TRANSITIONS, key (line, at, kind)."""
    with _reading(store) as con:
        return read.transitions(con, line=line, since=_moment(since), until=_moment(until))


def explanations(
    store: Where = None, *, line: str | None = None, since: When = None, until: When = None
) -> list[Explanation]:
    """Return why each transition happened, oldest first (contract.md, section 7)."""
    with _reading(store) as con:
        documents = read.explanation_documents(con, line=line, since=_moment(since), until=_moment(until))
    decode = msgspec.json.Decoder(Explanation).decode
    return [decode(d) for d in documents]


def lines(store: Where = None) -> pl.DataFrame:
    """Return one row a line: line, health, status, since, first_at, last_at, messages, transitions."""
    with _reading(store) as con:
        return read.lines(con)


def messages(store: Where = None, *, line: str | None = None, since: When = None, until: When = None) -> pl.DataFrame:
    """Return placed messages (metadata only): MESSAGES."""
    with _reading(store) as con:
        return read.messages(con, line=line, since=_moment(since), until=_moment(until))


def openers(store: Where = None, *, line: str, since: When, until: When) -> pl.DataFrame:
    """Return the opening sends of new conversations in [since, until): at, chat_id, answered (null while too young to say)."""
    start, end = _moment(since), _moment(until)
    if start is None or end is None:
        raise UsageError("openers needs since and until", where="openers")
    with _reading(store) as con:
        chosen, as_of = _settings(con), read.as_of(con) or _now()
        return read.openers(
            con,
            line=line,
            since=start,
            until=end,
            window_hours=chosen.reply_window_hours,
            grace_hours=chosen.new_chat_grace_hours,
            as_of=as_of,
        )


def failures(store: Where = None, *, line: str, since: When, until: When) -> pl.DataFrame:
    """Return failed sends in [since, until) by UTC hour and code: hour, failure_code, failed."""
    start, end = _moment(since), _moment(until)
    if start is None or end is None:
        raise UsageError("failures needs since and until", where="failures")
    with _reading(store) as con:
        return read.failures(con, line=line, since=start, until=end)


def sources(store: Where = None) -> pl.DataFrame:
    """Return the files loaded, with their counts, what was ignored, and notes."""
    with _reading(store) as con:
        return read.sources(con).with_columns(
            pl.col("notes").map_elements(lambda t: "; ".join(json.loads(t)), return_dtype=pl.String)
        )


def quarantine(store: Where = None) -> pl.DataFrame:
    """Return refused rows: source, position, kind, reason, fix, loaded_at."""
    with _reading(store) as con:
        return read.quarantine(con)


def status(store: Where = None) -> dict[str, Any]:
    """Return what the store holds and how fresh it is."""
    target = _store(store)
    with target.reader() as con:
        totals, as_of, chosen, kept = read.totals(con), read.as_of(con), _settings(con), read.settings(con)
        by_line = read.lines(con)
    return {
        "store": str(target.path),
        "size_bytes": target.path.stat().st_size,
        "snapshot": target.snapshot(),
        "as_of": iso(as_of),
        "timezone": chosen.timezone,
        **{k: iso(v) if isinstance(v, datetime) else v for k, v in totals.items()},
        "counts_by_health": {
            h: by_line.filter(pl.col("health").is_null() if h == "unknown" else pl.col("health") == h).height
            for h in ("HEALTHY", "AT_RISK", "CRITICAL", "unknown")
        },
        "flagged": by_line.filter(pl.col("status") == "FLAGGED").height,
        "settings": kept,
    }


# ------------------------------------------------------------------ text


def settings_or_default(store: Where = None) -> Settings:
    """Return the settings in force, or the defaults where there is no store yet."""
    return settings(store) if _store(store).exists() else Settings()


def records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON has them: times ISO 8601 in UTC with milliseconds and Z, days as dates."""
    return [
        {k: iso(v) if isinstance(v, datetime) else v.isoformat() if isinstance(v, date) else v for k, v in row.items()}
        for row in frame.iter_rows(named=True)
    ]


def as_csv(frame: pl.DataFrame) -> str:
    """Return a frame as CSV with times as ISO 8601 in UTC, ms, Z; safe to open in a spreadsheet (no cell starts a formula)."""
    times = [c for c, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    texts = [c for c, dtype in frame.schema.items() if dtype == pl.String and c != "line"]
    safe = frame.with_columns(
        *(pl.col(c).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ") for c in times),
        *(
            pl.when(pl.col(c).str.contains(r"^[=+\-@\t]")).then("'" + pl.col(c)).otherwise(pl.col(c)).alias(c)
            for c in texts
        ),
    )
    return safe.write_csv()


def as_text(e: Explanation) -> str:
    """Return an explanation as plain text, as the command line and "copy as text" show it."""
    began = f"began {e.onset} ({e.lead_hours:g} h before)" if e.onset and e.lead_hours is not None else "no onset found"
    parts = [
        f"{e.line}  {e.at}  {e.previous or 'unknown'} -> {e.new}",
        e.headline,
        f"  {began}; confidence {e.confidence} ({e.confidence_p:.0%})",
    ]
    parts += [f"  {d.share:4.0%}  {d.driver}: {d.summary}" for d in e.drivers]
    parts += [f"  to do: {a['action']} ({a['expected_effect']})" for a in e.actions]
    parts += [f"  chat {c['chat_id']}: {c['reason']}" for c in e.chats_to_fix[:5]]
    parts += [f"  note: {n}" for n in e.notes]
    return "\n".join(parts)


# ------------------------------------------------------------------ times


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def iso(at: datetime | None) -> str | None:
    """Return an instant as every JSON shows it: ISO 8601, UTC, milliseconds, Z."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def _moment(when: When) -> datetime | None:
    """Return a moment given as text, date or datetime as UTC without a zone."""
    if when is None:
        return None
    if isinstance(when, str):
        text = when
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(
                "not a date or time", where=text, fix="write it like 2026-03-01 or 2026-03-01T12:00:00Z"
            ) from None
    if isinstance(when, datetime):
        return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    return datetime(when.year, when.month, when.day)  # UTC by convention of this package
