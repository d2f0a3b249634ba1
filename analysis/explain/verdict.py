"""Frames of the store in, one Explanation per transition out: START HERE; every step is named once, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from analysis.explain.attribution import Scale, confidence_of, intervals_of
from analysis.explain.audience import audience_of
from analysis.explain.change import Change, episode_of, of_lines
from analysis.explain.constants import DAY, HOUR
from analysis.explain.drift import scoring_changed
from analysis.explain.episode import story_of
from analysis.explain.evidence import Case, figures_of
from analysis.explain.headline import no_usual, not_enough, worsening
from analysis.explain.measure import Measured, measure
from analysis.explain.onset import Onset
from analysis.explain.playbook import actions_of
from analysis.explain.recovery import recovery_of
from analysis.explain.standing import retold
from analysis.explain.telling import change_notes, data_notes, driver_of, level_of, unexplained, word
from analysis.explain.to_fix import chats_to_fix
from analysis.explain.troubles import Troubles
from analysis.explain.volume import risen
from analysis.explain.whatif import outcomes
from analysis.explain.words import iso
from analysis.schema import Explanation
from analysis.settings import Settings


def explain(
    messages: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
    gaps: pl.DataFrame | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Explanation]:
    """Explain every change of health or status, worsening or recovery.

    Args:
        messages: MESSAGES of all lines, key message_id, any order.
        chats: CHATS, key chat_id.
        chat_health: CHAT_HEALTH, key (chat_id, at).
        spells: SPELLS, key (line, kind, start_at).
        transitions: TRANSITIONS, key (line, at, kind).
        as_of: latest event time in the store; nothing after it is read.
        settings: thresholds (``explain_*`` and the shared ones).
        gaps: GAPS; a send whose answer may lie in one is not counted as unanswered.
        progress: called with (changes measured, all changes) while it works.

    Returns:
        One Explanation per transition up to as_of, ordered by (at, line, kind). Nothing later than a transition is
        used for it. Source: contract.md, section 7; METHOD.md, "Explanations".
    """
    return explained(
        measure(
            messages,
            chats,
            chat_health,
            spells,
            transitions,
            as_of=as_of,
            settings=settings,
            gaps=gaps,
            progress=progress,
        )
    )


class Verdict(NamedTuple):
    """An explanation, and what it takes to tell it again where other lines' asks are known better."""

    explanation: Explanation
    compared_from: int | None = None
    """Since when the line is compared with the others (ms); None where it is not."""


def explained(measured: Measured) -> list[Explanation]:
    """Return the explanation of every change that is due, ordered by (at, line, kind)."""
    return [verdict.explanation for verdict in verdicts(measured)]


def verdicts(measured: Measured) -> list[Verdict]:
    """Return the same with what it takes to tell them again."""
    return in_order(v for _, found in by_line(measured) for v in found)


def by_line(measured: Measured) -> Iterator[tuple[str, list[Verdict]]]:
    """Yield each line with a change, and the verdicts of those of its changes that are due; so its history is asked for once."""
    for line, own in of_lines(measured.changes).items():
        yield line, explain_line(own, measured, measured.troubles[line])


def in_order(found: Iterable[Verdict]) -> list[Verdict]:
    """Return verdicts in order of (at, line, kind)."""
    return sorted(found, key=lambda v: (v.explanation.at, v.explanation.line, v.explanation.kind))


def standing(told: Iterable[Verdict], measured: Measured) -> list[Verdict]:
    """Return those of an earlier refresh that stand: changes that are there and not due; with what they tell of other lines as it is now."""
    found, stand = [], {c.key: c for c in measured.changes if measured.due is not None and c not in measured.due}
    for verdict in told:
        e = verdict.explanation
        change = stand.get((e.line, round(datetime.fromisoformat(e.at).timestamp() * 1000), e.kind))
        if change is not None:
            scale = measured.scales.at(change.line, change.at) if change in measured.rescaled else None
            found.append(verdict._replace(explanation=retold(e, change, verdict.compared_from, scale, measured.peers)))
    return found


def explain_line(changes: list[Change], measured: Measured, of_line: Troubles) -> list[Verdict]:
    """Explain the changes of one line that are due, oldest first.

    Args:
        changes: its transitions in order of time.
        measured: what was measured at each; a change before the line's first message has no case.
        of_line: its unhealthy and flagged times.
    """
    found, cases, scales = [], measured.cases, measured.scales
    for i, change in enumerate(changes):
        if measured.due is not None and change not in measured.due:
            continue
        case = cases.get(change)
        if case is None:
            text = not_enough(0, young_days=None, any_message=False)
            found.append(Verdict(unexplained(change, text, change_notes(change))))
        elif change.worsening:
            story = story_of(change, episode_of(changes[:i], change), measured, case.settings.zone)
            found.append(_worsening(change, case, scales.at(change.line, change.at), measured, story))
        elif change.previous is None:
            text = f"First known state: {word(change.new)}. Nothing before it to compare with."
            found.append(Verdict(unexplained(change, text, change_notes(change))))
        else:
            episode = episode_of(changes[:i], change)
            worst = [cases[c] for c in episode if c in cases]
            scale = scales.at(change.line, change.at)
            found.append(Verdict(recovery_of(change, case, episode, worst, of_line, scale)))
    return found


def _worsening(change: Change, case: Case, scale: Scale, measured: Measured, story: dict[str, Any] | None) -> Verdict:
    settings = case.settings
    shares, drift = measured.shares[change], measured.drifts.get(change)
    figures = {d: figures_of(d, case) for d, _ in shares if d != "unexplained"}
    began = {d: span[0] for d, span in case.spans.items()}
    thin = case.effects.sends_week < settings.explain_thin_sends
    first = shares[0][0]
    unknown = first == "unexplained" and (thin or not case.usual.own)
    if unknown:
        age = (change.at - case.history.first_at) / DAY if case.usual.young else None
        sends = case.effects.sends_week
        headline = not_enough(sends, young_days=age, any_message=True) if thin or case.usual.young else no_usual(sends)
    else:
        rise = risen(case.effects.window, case.usual) if first == "unexplained" and case.effects.window else None
        headline = worsening(shares, figures, began, change.at, settings.zone, rise)
    if drift is not None and not thin:
        headline = scoring_changed(drift, settings.zone)
    fell = began.get("engagement") or case.effects.windows.get("engagement", (change.at - 7 * DAY, 0))[0]
    audience = audience_of(case, fell)
    onset = began.get(first)
    dated = case.onsets.get(first, Onset())
    intervals = intervals_of(case.effects, scale)
    p = confidence_of(shares, 0 if unknown else case.effects.asks_week)
    compared_from = int(fell) if case.usual.own else None
    explanation = Explanation(
        line=change.line,
        at=iso(change.at),
        kind=change.kind,
        previous=change.previous,
        new=change.new,
        onset=iso(onset) if onset is not None else None,
        lead_hours=round((change.at - onset) / HOUR, 2) if onset is not None else None,
        onset_earliest=iso(dated.earliest) if dated.earliest is not None else None,
        onset_latest=iso(dated.latest) if dated.latest is not None else None,
        drivers=[driver_of(d, share, figures.get(d), case, scale, intervals.get(d)) for d, share in shares],
        headline=headline,
        chats_to_fix=chats_to_fix(case, dict(shares)),
        actions=actions_of(case, scale, shares, figures, audience),
        audience=audience,
        peers=None if compared_from is None else measured.peers.beside(change.line, compared_from, change.at),
        what_if=outcomes(case, scale),
        episode=story,
        confidence=level_of(p),
        confidence_p=p,
        notes=[*change_notes(change), *data_notes(case, change)],
    )
    return Verdict(explanation, compared_from)
