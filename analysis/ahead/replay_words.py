"""What a rule did and how the risk changed in, sentences with their counts and the plain limits out. "In this model", never "would have"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from analysis.ahead.altered import Altered, Rule
from analysis.ahead.model import LEAST_CHANGES, Model
from analysis.ahead.replayed import LEAST, Change, Replayed
from analysis.explain import words
from analysis.explain.words import count, percent, plural
from analysis.settings import Settings

MEANS = {
    "engagement": "replies and follow-ups",
    "deliverability": "failed sends",
    "new_conversations": "new conversations",
    "recipient_spread": "how many people are written to in a day",
    "send_pace": "the volume and pace of sends",
    "opt_outs": "sends to people who had opted out",
    "flagged": "the carrier's flag",
    "unexplained": "the line's own record",
}
"""What a driver's features count, in words."""
LEAST_DAY = 0.01
"""An ordinary day's chance of a fall is told as this at least: a fleet with few falls has no rate of its own."""
HARDLY = 2.0
"""A chance of less than so many ordinary days' saw nothing coming."""


@dataclass(frozen=True)
class Asked:
    """What was asked of which line, what the rule did, and what came of it."""

    line: str
    rule: Rule
    since: datetime
    until: datetime
    end: datetime
    """Hours up to here are looked at."""
    newest: datetime
    fell: tuple[datetime, str] | None
    """The line's first worsening of these hours, and to what."""
    altered: Altered
    found: Replayed
    model: Model
    settings: Settings

    def told(self, at: datetime) -> str:
        """Return a time as "7 Mar 05:55", in the store's zone."""
        return words.moment(round(at.replace(tzinfo=UTC).timestamp() * 1000), self.settings.zone)


def sentences(a: Asked) -> list[str]:
    """Return what was changed, what it does to the risk, and what the model saw of the fall itself."""
    found = [_changed(a), _worst(a), _falls(a), _verdict(a), _most(a)]
    return [s for s in (*found, _fall(a)) if s]


def _changed(a: Asked) -> str:
    moved, opened = a.altered.moved, a.altered.opened
    period = f"from {a.told(a.since)} to {a.told(a.until)}"
    if a.rule.what == "stop_after":
        gone = f"{plural(a.altered.left_out, 'send')} {period} after {plural(a.rule.number, 'unanswered turn')} {'is' if a.altered.left_out == 1 else 'are'} left out"
        answers = a.altered.replies_left_out
        return f"{gone}, and {plural(answers, 'message') if answers else 'no message'} received that answered them."
    part = f"Of {plural(opened, 'new conversation')} opened {period}, "
    if a.rule.what == "over_lines":
        by = moved.group_by("to_line", maintain_order=True).len().sort("to_line")
        to = ", ".join(f"{count(n)} on {line}" for line, n in by.iter_rows())
        return f"{part}{count(moved.height)} are opened on other lines instead ({to}); chats that existed stay."
    waits = (moved["to_at"] - moved["from_at"]).dt.total_days()
    last: Any = moved["to_at"].max()
    how = (
        f"at most {plural(a.rule.number, 'is', 'are')} opened a day"
        if a.rule.what == "cap"
        else f"spread over {plural(a.rule.number, 'day')}"
    )
    mean: Any = waits.mean()
    middle = f"{count(moved.height)} {'waits' if moved.height == 1 else 'wait'} {plural(round(mean, 1), 'day')} on average, the last until {a.told(last)}"
    beyond = beyond_data(moved, a.newest)
    more = f"; {count(beyond)} would wait beyond the end of the data and are left out of what follows" if beyond else ""
    return f"{part}{middle} ({how}){more}."


def beyond_data(moved: pl.DataFrame, newest: datetime) -> int:
    """Return how many conversations wait until after the newest event."""
    return moved.filter(pl.col("to_at") > newest).height


def _points(c: Change) -> str:
    return f"{_signed(100 * c.change, 'point')} (80 % interval {_number(100 * c.low)} to {_number(100 * c.high)})"


def _number(x: float) -> str:
    text = f"{x:+.1f}" if abs(x) < 10 else f"{x:+.0f}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def _signed(x: float, noun: str) -> str:
    return f"{_number(x)} {noun}{'' if _number(x).lstrip('+−') in ('1', '1.0') else 's'}"


def _worst(a: Asked) -> str:
    own = a.found.worst[a.line]
    text = (
        f"In this model its chance of turning worse within 24 h reaches {percent(own.before)} at its worst hour as it was, "
        f"and {percent(own.after)} with the rule: {_points(own)}."
    )
    others = {line: c for line, c in a.found.worst.items() if line != a.line}
    if others:
        line, most = max(others.items(), key=lambda o: o[1].change)
        text += f" Of the other lines {line} gains most: from {percent(most.before)} to {percent(most.after)}, {_points(most)}."
    return text


def _falls(a: Asked) -> str:
    f, on = a.found.falls, f" on the {len(a.found.worst)} lines together" if len(a.found.worst) > 1 else ""
    return (
        f"Falls expected from {a.told(a.since)} to {a.told(a.end)}{on}: {f.before:.2f} as it was, {f.after:.2f} with the rule; "
        f"difference {_two(f.change)} (80 % interval {_two(f.low)} to {_two(f.high)})."
    )


def _two(x: float) -> str:
    text = f"{x:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def verdict(a: Asked) -> str:
    """Return what both figures and their intervals say together.

    "lower": fewer falls, and no higher peak. "mixed": fewer falls, a higher peak. "peak": a lower peak, but whether fewer falls in all
    is open. "higher": more falls. "none": next to no change. "unsure": anything else, and where part of it lies beyond the data.
    """
    own, falls = a.found.worst[a.line], a.found.falls
    if own.slight and falls.slight:
        return "none"
    if falls.tells > 0:
        return "higher"
    if beyond_data(a.altered.moved, a.newest):
        return "unsure"
    if falls.tells < 0:
        return "lower" if own.change < LEAST else "mixed"
    return "peak" if own.tells < 0 else "unsure"


def title(a: Asked) -> str:
    """Return the finding in a few words."""
    own = a.found.worst[a.line]
    falls = f"{a.found.falls.before:.2f} → {a.found.falls.after:.2f} falls expected"
    return {
        "lower": f"The rule lowers the risk in this model: {falls}",
        "higher": f"The rule raises the risk in this model: {falls}",
        "mixed": f"Fewer falls with the rule in this model, but a higher peak: {falls}",
        "peak": f"A lower peak with the rule in this model, {percent(own.before)} → {percent(own.after)}; whether fewer falls in all, it can't tell",
        "none": "The rule hardly changes the risk in this model",
        "unsure": f"Whether the rule lowers the risk, this model can't tell: {falls}",
    }[verdict(a)]


def _verdict(a: Asked) -> str:
    own, falls, risk = a.found.worst[a.line], a.found.falls, a.settings.gate_risk
    said = {
        "lower": "Fewer falls are expected with the rule, and the interval holds no increase",
        "higher": "More falls are expected with the rule, and the interval holds no decrease",
        "mixed": "Fewer falls are expected with the rule over all hours, but its worst hour is no lower",
        "peak": "The peak is lower, but over all hours the interval holds both more and fewer falls: part of the risk may only be put off",
        "none": "That is next to no change",
        "unsure": "The intervals hold both more and less: this model can't tell whether the rule helps",
    }[verdict(a)]
    if verdict(a) == "peak" and falls.change > LEAST:
        said = (
            "The peak is lower, but not the falls expected over all hours: the risk is put off rather than taken away"
        )
    if verdict(a) == "unsure" and beyond_data(a.altered.moved, a.newest):
        said = "What risk the conversations bring that wait beyond the end of the data is not counted: this can't tell whether the rule helps"
    if own.before < risk:
        return f"{said}. As it was, it stayed under the {percent(risk)} from which new conversations are held back: there was little to lower."
    over = "stays above" if own.after >= risk else "comes under"
    return (
        f"{said}. With the rule the worst hour {over} the {percent(risk)} from which new conversations are held back."
    )


def _most(a: Asked) -> str:
    """Return where the two sides differ most, and through what; nothing where they hardly do."""
    most = a.found.most[a.line]
    if abs(most.after - most.before) < 2 * LEAST:
        return ""
    through = MEANS[most.driver]
    return f"They differ most in the hour from {a.told(most.hour)}: {percent(most.before)} as it was, {percent(most.after)} with the rule, mostly through {through}."


def _fall(a: Asked) -> str:
    if a.fell is None:
        return f"No fall of {a.line} is known from {a.told(a.since)} to {a.told(a.end)}."
    at, to = a.fell
    seen = a.found.rows.filter(pl.col("line") == a.line, pl.col("hour").dt.offset_by("1h") <= at)
    what = f"It turned {to.lower().replace('_', ' ')} on {a.told(at)}"
    if seen.is_empty():
        return f"{what}, before the first hour looked at."
    last = seen.row(-1, named=True)
    text = f"{what}; in the last full hour before, this model saw a chance of {percent(last['p_before'])}, and sees {percent(last['p_after'])} with the rule."
    ordinary = max(a.model.worsenings / a.model.line_days, LEAST_DAY) if a.model.line_days else LEAST_DAY
    if last["p_before"] < HARDLY * ordinary:
        text += (
            f" That is near any day's ({percent(ordinary)}): what made it fall is hardly in what this model looks at, "
            "and the rule may have nothing to do with that fall."
        )
    return text


def limits(a: Asked) -> list[str]:
    """Return what such a claim can't say."""
    n = a.model.worsenings
    few = f"Only {plural(n, 'fall')}" if n else "No fall"
    learned = (
        f"The chance is learned from {plural(n, 'fall')} of this fleet before {a.told(a.since)}, drawn to made-up fleets"
        if n >= LEAST_CHANGES
        else f"{few} of this fleet came before {a.told(a.since)}: the chance rests on made-up fleets"
    )
    found = [
        f"{learned}; the interval is what its weights may be, nothing more. The vendor may score by what is not in the data.",
        "Health is held, on both sides, at what it was when the period began, so that more than one fall can be expected: what was reported later is the outcome, no input.",
    ]
    if a.rule.what in ("spread", "cap"):
        found.append(
            "People who are written to later may answer differently: here every reply keeps its delay and every chat its reports of health."
        )
    elif a.rule.what == "over_lines":
        found.append("People are taken to answer another line as they answered this one.")
    else:
        found.append(
            "Who would have written by himself is not known: a reply within the reply window of a send left out is left out too; chats keep their reports of health. Fewer sends are less risk in any such model."
        )
    if a.fell is not None:
        found.append(f"What was sent after {a.told(a.fell[0])}, slower perhaps because of the fall, stays as it was.")
    return found
