"""A state and a period in; everything a report says, in the order in which it says it, out: plain values that a template lays out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

from analysis import charts, pipeline
from analysis.charts.printed import as_svg
from analysis.pages import _fleet as fleet
from analysis.pages import _html as html
from analysis.pages import _quality as quality
from analysis.pages import _why as why
from analysis.pages import _words as words
from analysis.report.asof import AsOf
from analysis.report.changes import ALWAYS, GROUPS, Change, changes, figures
from analysis.report.lines import WIDTH, Section, section
from analysis.report.period import Period
from analysis.schema import SEVERITY

STEPS = 12
"""Steps of the week that are listed; the lines' own parts have all."""
NEEDY = 30
"""Lines that need somebody, with a row of their own; the table has all."""
SHOWN, SHOWN_ELSE = {"new": 6, "worse": 6, "solved": 4}, 3
"""Lines of a group on the first screen; the table of changes has all."""
A_PICTURE = 40
"""Ribbons in one picture: as many as an A4 page holds."""
QUARANTINED = 30
"""Kinds of refused rows that are listed."""


@dataclass(frozen=True)
class Document:
    """What one report says."""

    state: AsOf
    period: Period
    fleet: fleet.Fleet
    title: str
    tiles: list[tuple[str | None, str, str]]
    """State or a word, figure, small print."""
    groups: list[tuple[str, str, list[Change], int]]
    """Heading, meaning, lines, and how many of them the first screen shows."""
    steps: list[dict[str, Any]]
    steps_left: int
    steps_done: int
    """Steps left out because the data since shows them as done."""
    sections: list[Section]
    left_out: int
    """Lines with a change that have no part of their own."""
    ribbons: list[tuple[str, str]]
    """SVG and sentence."""
    causes: tuple[str, str, str]
    """Title, SVG, sentence."""
    gaps: pl.DataFrame
    blind: str
    refused: pl.DataFrame
    """source, kind, reason, fix, rows."""
    settings: list[dict[str, Any]]
    about: dict[str, str]

    @property
    def zone(self) -> Any:
        """The zone of its times."""
        return self.state.zone

    @property
    def anchors(self) -> dict[str, str]:
        """Line to the name of its part."""
        return {s.change.line: s.anchor for s in self.sections}


def document(state: AsOf, period: Period) -> Document:
    """Return everything a report says of a period.

    Args:
        state: the store as it stood at the end of the period.
        period: what the report tells of.
    """
    f = fleet.fleet(state)
    found = changes(state, period)
    # most pressing first: who is in trouble at the end, then who was
    pressing = sorted(
        found, key=lambda c: (-SEVERITY.get(c.now or "", 0), list(GROUPS).index(c.group), c.why.at, c.line)
    )
    most = state.settings.report_lines
    sections = [section(c, state, f"line-{i}") for i, c in enumerate(pressing[:most], 1)]
    groups = [
        (*GROUPS[key], own, SHOWN.get(key, SHOWN_ELSE))
        for key in GROUPS
        if (own := [c for c in found if c.group == key]) or key in ALWAYS
    ]
    steps, further, done = _steps(f, state)
    gaps = quality.longest_first(quality.gaps_in(state, period.start, period.end), state)
    return Document(
        state,
        period,
        f,
        fleet.sentence(f),
        _tiles(f, state, period),
        groups,
        steps,
        further,
        done,
        sections,
        max(0, len(found) - most),
        _ribbons(f, state),
        _causes(f),
        gaps,
        quality.warning(state, period.start, period.end),
        _refused(state),
        _settings(state),
        _about(state, period),
    )


def _tiles(f: fleet.Fleet, state: AsOf, period: Period) -> list[tuple[str | None, str, str]]:
    now, before = figures(state, period)
    then = f"{period.length} before"
    rate, counts = fleet.rate(now["replied"], now["mature"])
    was, was_counts = fleet.rate(before["replied"], before["mature"])
    sent = words.plural(now["outbound"], "send")
    return [
        *fleet.tiles(f, state),
        ("Replies", rate, f"{counts} sends of the period answered; {then}: {was} ({was_counts})"),
        (
            "New conversations",
            words.count(now["new_conversations"]),
            f"in the period, {sent}, {words.count(now['failed'])} failed; {then}: {words.count(before['new_conversations'])}",
        ),
    ]


def _steps(f: fleet.Fleet, state: AsOf) -> tuple[list[dict[str, Any]], int, int]:
    """Return what to do in order, how many further steps there may be, and how many were left out as done.

    The first step of each line that needs somebody, the worst line first; then the second steps, and so on. What the data since shows as done
    is left out, as far as it was looked at.
    """
    ranked = []
    for rank, row in enumerate(f.needy):
        if row.reason is None:
            continue
        e, own = row.reason, row.reason.actions
        for place, a in enumerate(a for a in own if a.get("driver") or len(own) < 3):
            ranked.append((place, rank, row, e, a))
    found: list[dict[str, Any]] = []
    done = 0
    for looked, (_, _, row, e, a) in enumerate(sorted(ranked, key=lambda s: s[:2])):
        if len(found) == STEPS:
            return found, len(ranked) - looked, done
        if why.done_since(e, state).get(a["action"], (None, ""))[0]:
            done += 1
        else:
            found.append({"line": row.line, "state": row.worst, **a})
    return found, 0, done


def _ribbons(f: fleet.Fleet, state: AsOf) -> list[tuple[str, str]]:
    """Return ribbons of the lines that changed in 30 days or need somebody, as many pictures as pages."""
    rows = [r for r in f.rows if len(r.spells) > 1 or r.needs] if len(f.rows) > A_PICTURE else f.rows
    lost = quality.gaps_in(state, state.as_of - fleet.timedelta(days=fleet.DAYS), state.as_of)
    found = []
    for start in range(0, len(rows), A_PICTURE):
        part = rows[start : start + A_PICTURE]
        spells, codes = fleet.ribbon_frames(f, state, part)
        spec = charts.ribbons(
            spells,
            codes,
            quality.gap_marks_of(lost, [r.line for r in part], f.window, state),
            order=[words.line_name(r.line) for r in part],
            window=f.window,
        )
        alt = f"Health of {words.plural(len(part), 'line')} over 30 days: {words.plural(codes.height, 'fall')}."
        found.append((as_svg(spec, width=WIDTH - 110, alt=alt, name=f"ribbons-{start}"), alt))
    return found


def _causes(f: fleet.Fleet) -> tuple[str, str, str]:
    counts, title = fleet.cause_counts(f), fleet.causes_title(f)
    if counts.is_empty():
        return title, "", "No line changed for the worse in these 30 days."
    alt = (
        "Falls by main cause in 30 days: "
        + ", ".join(f"{r['label']} {r['falls']}" for r in counts.iter_rows(named=True))
        + "."
    )
    return title, as_svg(charts.causes(counts), width=WIDTH - 220, alt=alt, name="causes"), alt


def _refused(state: AsOf) -> pl.DataFrame:
    rows: pl.DataFrame = state.read(pipeline.quarantine)
    return (
        rows.with_columns(source=pl.col("source").map_elements(lambda path: Path(path).name, return_dtype=pl.String))
        .group_by("source", "kind", "reason", "fix")
        .agg(rows=pl.len().cast(pl.Int64))
        .sort("rows", "source", "kind", "reason", "fix", descending=[True, False, False, False, False])
    )


def _settings(state: AsOf) -> list[dict[str, Any]]:
    rows = [
        {"setting": f.name, "value": getattr(state.settings, f.name), "default": f.default, **f.metadata}
        for f in dataclasses.fields(state.settings)
    ]
    return sorted(rows, key=lambda r: r["value"] == r["default"])


def _about(state: AsOf, period: Period) -> dict[str, str]:
    try:
        number = version("linehealth")
    except PackageNotFoundError:  # run from a checkout that is not installed
        number = "0"
    changed = [f"{r['setting']} = {r['value']}" for r in _settings(state) if r["value"] != r["default"]]
    return {
        "fingerprint": state.version,
        "version": number,
        "schema": str(state.status["schema_version"]),
        "settings": "; ".join(changed) or "all as by default",
        "as_of": str(state.status["newest"]),
        "start": str(pipeline.iso(period.start)),
        "end": str(pipeline.iso(period.end)),
    }


def pictures(row: fleet.Row, window: tuple[float, float]) -> tuple[str, str]:
    """Return the sparkline of replies and the ribbon of health of a line's row, as SVG."""
    spark, ribbon = fleet.pictures(row, window)
    name = html.text(words.line_name(row.line))
    told = (("Replies", spark), ("Health", ribbon))
    found = [
        svg.replace("<svg ", f'<svg class="lh-chart" role="img" aria-label="{what} of {name} over 30 days" ', 1)
        for what, svg in told
    ]
    return found[0], found[1]
