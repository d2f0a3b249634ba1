"""One change in; everything that the report says of its line out: reasons, lanes, evidence, chats to fix, steps, and what worked before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import Any

from analysis import pipeline
from analysis.charts.printed import as_svg
from analysis.pages import _html as html
from analysis.pages import _lanes, _why
from analysis.pages import _words as words
from analysis.pages._frames import USUAL_DAYS, clipped, trailing
from analysis.pages._quality import warning
from analysis.report.asof import AsOf
from analysis.report.changes import Change
from analysis.schema import Explanation

CHATS = 7
"""Chats to fix of one line that are listed, as on Why."""
LEAST_OVER = 3
"""Falls for a cause that must be over before a median is told."""
WIDTH = 760
"""Of a chart, in pixels: between a screen's and an A4 page's."""


@dataclass(frozen=True)
class Section:
    """What is told of one line; texts are plain, cells of tables are HTML."""

    change: Change
    anchor: str
    when: str
    began: str
    lanes: str
    """SVG, empty where no message of the line is loaded for these days."""
    alt: str
    quiet: str
    lost: str
    evidence: list[list[str]]
    beside: list[tuple[str, str]]
    chats: list[list[str]]
    steps: list[dict[str, Any]]
    worked: list[str]
    others: list[str]
    notes: list[str] = field(default_factory=list)

    @property
    def why(self) -> Explanation:
        """The change that is explained."""
        return self.change.why


def section(change: Change, state: AsOf, anchor: str) -> Section:
    """Return what is told of a line.

    Args:
        change: what became of it.
        state: the store as it stood at the end of the period.
        anchor: its name in the document.
    """
    e = change.why
    lanes, alt, quiet, lost = _picture(e, state, anchor)
    done = _why.done_since(e, state)
    steps = [{**a, "since": _since(*done[a["action"]]) if a["action"] in done else ""} for a in e.actions]
    told = [f"{words.moment(words.instant(o.at), state.zone)}: {_turn(o)}. {o.headline}" for o in change.others]
    return Section(
        change,
        anchor,
        words.moment(words.instant(e.at), state.zone, year=True)
        + ("" if e.previous else " · the state before is not known"),
        _why.began_words(e, state),
        lanes,
        alt,
        quiet,
        lost,
        _why.evidence_rows(e),
        _why.beside(e, state),
        []
        if pipeline.is_small(len(e.chats_to_fix), state.settings.report_small_group)
        else _why.chat_rows(e.chats_to_fix[:CHATS], e, state, name=lambda chat: f"<code>{html.text(chat)}</code>"),
        steps,
        worked_before(e, state),
        told,
        e.notes,
    )


def _since(tick: bool | None, figures: str) -> str:
    """Return what the data since shows of a step, said once."""
    word = html.DONE[tick]
    return figures if figures.startswith(word) else f"{word}: {figures}"


def _turn(e: Explanation) -> str:
    return f"{words.plain_state(e.previous)} → {words.plain_state(e.new)}"


def _picture(e: Explanation, state: AsOf, anchor: str) -> tuple[str, str, str, str]:
    """Return the lanes of a change as on Why, their sentence, and in words what was quiet and what is not known."""
    start, _ = _lanes.window(e, state.as_of)
    hours = state.read(pipeline.signals, grain="hour", line=e.line, since=start - timedelta(days=USUAL_DAYS + 1))
    if hours.is_empty():
        return "", "", "", ""
    pic = _lanes.picture(trailing(hours), e, state.settings, state.as_of)
    if not pic.drawn:
        return "", "", "", ""
    states = clipped(state.read(pipeline.spells, line=e.line), state.lines(), since=pic.start, until=pic.end)
    gaps = state.read(pipeline.gaps, line=e.line, since=pic.start, until=pic.end)
    done = _lanes.did(state.read(pipeline.actions, line=e.line), pic, state.zone)
    spec = _lanes.lanes_spec(pic.drawn, states, gaps, done, e, pic, state.zone, "light")
    titles = ", ".join(kind.title for kind, _ in pic.drawn)
    span = f"{words.moment(pic.start, state.zone)} to {words.moment(pic.end, state.zone)}"
    alt = f"{words.line_name(e.line)}: {e.headline} Lanes from {span}: {titles}."
    quiet = " · ".join(pic.quiet_words)
    return as_svg(spec, width=WIDTH, alt=alt, name=anchor), alt, quiet, warning(state, pic.start, pic.end, line=e.line)


def worked_before(e: Explanation, state: AsOf) -> list[str]:
    """Return what worked last time: actions on this line that helped, how its last trouble of the same cause ended; else what is known of the fleet.

    Args:
        e: the change.
        state: the store as it stood at the end of the period.
    """
    told = [
        f"{words.moment(t.of.at, state.zone)}: {words.act_words(t.of.kind, t.of.label)}. {t.sentence}"
        for t in state.read(pipeline.helped)
        if t.of.line in (None, e.line) and t.of.verdict == "helped" and t.of.at < words.instant(e.at)
    ][-2:]
    return [*reversed(told), *_last_time(e, state), *_elsewhere(e, state)]


def _last_time(e: Explanation, state: AsOf) -> list[str]:
    """Return when the line last fell for the same main cause, and how that ended."""
    main = e.drivers[0].driver
    if not words.worsened(e) or main == "unexplained":
        return []
    own = [o for o in state.explanations(e.line) if o.kind == e.kind]
    began = words.instant(e.episode["began"] if e.episode else e.at)
    for i in range(len(own) - 1, -1, -1):
        o = own[i]
        if words.instant(o.at) >= began or not words.worsened(o) or o.drivers[0].driver != main:
            continue
        back = next((r for r in own[i + 1 :] if r.new in ("HEALTHY", "ACTIVE") and r.at < e.at), None)
        if back is None:
            continue
        took = words.lasting((words.instant(back.at) - words.instant(o.at)).total_seconds() / 3600)
        return [
            f"It fell for the same cause on {words.moment(words.instant(o.at), state.zone)} and was healthy again after {took}. {back.headline}"
        ]
    return []


def _elsewhere(e: Explanation, state: AsOf) -> list[str]:
    """Return how the other lines' falls for the same main cause ended: how many are over, and how long that took."""
    main = e.drivers[0].driver
    if not words.worsened(e) or main == "unexplained":
        return []
    falls, took = 0, []
    for line, own in words.by_line(o for o in state.explanations() if o.kind == e.kind).items():
        for i, o in enumerate(own):
            if (
                line == e.line
                or o.previous not in ("HEALTHY", "ACTIVE")
                or not words.worsened(o)
                or o.drivers[0].driver != main
            ):
                continue
            falls += 1
            back = next((r for r in own[i + 1 :] if r.new in ("HEALTHY", "ACTIVE")), None)
            if back is not None:
                took.append((words.instant(back.at) - words.instant(o.at)).total_seconds() / 3600)
    if len(took) < LEAST_OVER:
        return []
    return [
        f"On the other lines {len(took):,} of {words.plural(falls, 'fall')} for this main cause {'is' if falls == 1 else 'are'} over, after {words.lasting(median(took))} at the median."
    ]
