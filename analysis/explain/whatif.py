"""A past transition in, what its line would show without a burst, at its usual pace, or without late follow-ups, out: "in this model"."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from analysis.explain.attribution import Scale, pressure_range
from analysis.explain.constants import CONSTANTS, DAY, HOUR, KINDS
from analysis.explain.effects import effects_in
from analysis.explain.evidence import Case
from analysis.explain.found import Effects
from analysis.explain.histories import histories
from analysis.explain.history import LineHistory
from analysis.explain.running import NEVER, Array
from analysis.explain.window import Window
from analysis.explain.words import count, iso, plural, times
from analysis.settings import Settings

NEW, ANSWER, FOLLOWUP = (KINDS.index(kind) for kind in ("new", "answer", "followup"))
NAMES = {
    "remove_burst": "Without the burst of new conversations",
    "hold_pace": "At the line's usual pace",
    "stop_follow_ups": "Without follow-ups after {turns} unanswered",
    "honour_opt_outs": "Without sends to people who had opted out",
}


@dataclass(frozen=True)
class Scenario:
    """One thing that did not happen in the time before a transition: asks of (since, until] by a rule."""

    what: str  # a key of NAMES
    since: int
    until: int
    a_day: int | None = None
    """So many in the 24 h before any are kept; null: none."""
    turns: int | None = None
    """Asks after so many unanswered ones in a row are left out."""

    def as_json(self) -> dict[str, Any]:
        """Return it as an explanation keeps it."""
        found: dict[str, Any] = {"what": self.what, "since": iso(self.since), "until": iso(self.until)}
        return found | {k: v for k, v in (("a_day", self.a_day), ("turns", self.turns)) if v is not None}


def scenario_of(kept: dict[str, Any]) -> Scenario:
    """Return a scenario as an explanation keeps it."""
    since, until = (round(datetime.fromisoformat(kept[k]).timestamp() * 1000) for k in ("since", "until"))
    return Scenario(kept["what"], since, until, kept.get("a_day"), kept.get("turns"))


def scenarios(case: Case) -> list[Scenario]:
    """Return what can be asked of a transition: each scenario that would have left out at least one ask."""
    usual, since, t = case.usual, case.t - 7 * DAY, case.t
    found = [
        Scenario("stop_follow_ups", since, t, turns=case.settings.late_turn - 1),
        Scenario("honour_opt_outs", since, t),
    ]
    if usual.own:
        found.append(Scenario("hold_pace", since, t, a_day=max(1, round(usual.busy["known"]))))
        if usual.days_new >= CONSTANTS.least_usual_days:
            found.append(Scenario("remove_burst", since, t, a_day=max(1, round(usual.busy["new"]))))
        elif case.effects.first_seen is not None:
            found.append(Scenario("remove_burst", since, t, a_day=max(1, case.effects.first_seen)))
    w = case.effects.window
    order = list(NAMES)
    kept = [s for s in found if w is not None and prevented(w, s).any()]
    return sorted(kept, key=lambda s: order.index(s.what))


def prevented(asks: Window | LineHistory, s: Scenario) -> Array:
    """Return which asks a scenario leaves out.

    Args:
        asks: of a window, or all of a line, in order of time.
        s: the scenario.
    """
    inside = (asks.first > s.since) & (asks.first <= s.until)
    if s.what == "stop_follow_ups":
        return inside & (asks.streak >= (s.turns or 1)) & (asks.kind != ANSWER)
    if s.what == "honour_opt_outs":
        return inside & asks.opted_out
    if s.what == "remove_burst":
        opened = beyond_day(asks.first, inside & (asks.kind == NEW), s.a_day or 1)
        return inside & np.isin(asks.chat, asks.chat[opened])  # a chat that was not opened has no follow-ups either
    begun = (asks.kind != NEW) & (asks.kind != FOLLOWUP) & ~asks.opted_out
    loops = (asks.sends >= CONSTANTS.loop_sends) & inside & ~asks.opted_out  # of any class, as in Window.volume
    return loops | beyond_day(asks.first, inside & begun & ~loops, s.a_day or 1)


def beyond_day(first: Array, mask: Array, a_day: float) -> Array:
    """Return the masked asks beyond so many kept in the 24 hours before each: what holding to a daily number leaves out."""
    found = np.zeros(len(first), dtype=bool)
    kept: list[float] = []
    most = max(1, round(a_day))
    for place in np.flatnonzero(mask):
        at = float(first[place])
        while kept and kept[0] <= at - DAY:
            kept.pop(0)
        if len(kept) >= most:
            found[place] = True
        else:
            kept.append(at)
    return found


def effects_without(case: Case, left_out: Array) -> Effects:
    """Return the effects on a line at a transition without some asks of its week; none can be worse than with them."""
    window = case.effects.window
    if window is None:
        return case.effects
    x, amount = case.effects.x, case.effects.amount
    left = effects_in(window.of(~left_out), case.history, case.usual, case.settings)
    gone = window.opted_out & left_out
    share = 1 - float(gone.sum()) / max(int(window.opted_out.sum()), 1)
    return replace(
        left,
        x={d: min(v * (share if d == "opt_outs" else 1.0), x.get(d, 0.0)) for d, v in left.x.items()},
        amount={d: min(v * (share if d == "opt_outs" else 1.0), amount.get(d, 0.0)) for d, v in left.amount.items()},
    )


def outcomes(case: Case, scale: Scale) -> list[dict[str, Any]]:
    """Return every scenario of a transition that eases it, what eases most first, with the pressure with and without it.

    Returns:
        per scenario: its rule, name, sends left out, pressure_before, pressure_after with low and high (80 %), and text.
        Associations: what the vendor would have done is not known.
    """
    w = case.effects.window
    if w is None:
        return []
    before, found = pressure_range(case.effects, scale), []
    if before[0] < 1:  # no more than is ordinary where nothing is wrong: nothing to ease
        return []
    for s in scenarios(case):
        mask = prevented(w, s)
        after = pressure_range(effects_without(case, mask), scale)
        if before[0] - after[0] < least_easing(before[0]):
            continue
        sends = int(w.sends[mask].sum())
        name = NAMES[s.what].format(turns=s.turns)
        text = (
            f"{name} ({plural(sends, 'send')} fewer), in this model: pressure {times(after[0])} times the ordinary "
            f"({times(after[1])} to {times(after[2])}) instead of {times(before[0])}."
        )
        found.append(
            s.as_json()
            | {
                "name": name,
                "sends": sends,
                "pressure_before": round(before[0], 2),
                "pressure_after": round(after[0], 2),
                "pressure_after_low": round(after[1], 2),
                "pressure_after_high": round(after[2], 2),
                "text": text,
            }
        )
    return sorted(found, key=lambda s: float(s["pressure_after"]))


def least_easing(pressure: float) -> float:
    """Return the fall in pressure below which a scenario or a step is not worth telling."""
    return max(CONSTANTS.action_least, CONSTANTS.step_share * pressure)


def altered(
    messages: pl.DataFrame, chats: pl.DataFrame, chat_health: pl.DataFrame, s: Scenario, settings: Settings
) -> pl.DataFrame:
    """Return the messages of one line without what a scenario leaves out: the sends, and the replies to them.

    A reply is all that comes within the reply window and before the next ask; a chat of the burst goes whole.

    Args:
        messages: MESSAGES of the line.
        chats: CHATS.
        chat_health: CHAT_HEALTH.
        s: the scenario.
        settings: the ask gap and reply window.
    """
    known = histories(messages, chats, chat_health, settings)
    if not known:
        return messages
    history = next(iter(known.values()))
    mask = prevented(history, s)
    names = np.array(history.chats, dtype=object)
    answers_end = np.minimum(_next_ask(history) - 1, history.last + int(settings.explain_reply_hours * HOUR))
    to = np.where(history.replied, answers_end, history.last)
    if s.what == "remove_burst":
        to = np.full(len(mask), s.until)
    gone = pl.DataFrame(
        {"chat_id": names[history.chat[mask]].tolist(), "from": history.first[mask], "to": to[mask]},
        schema={"chat_id": pl.String, "from": pl.Int64, "to": pl.Int64},
    ).sort("from")
    if not gone.height:
        return messages
    rows = messages.with_columns(at_ms=pl.col("at").cast(pl.Int64), order=pl.int_range(pl.len())).sort("at_ms")
    joined = rows.join_asof(gone, left_on="at_ms", right_on="from", by="chat_id", check_sortedness=False)
    kept = joined.filter((pl.col("at_ms") > pl.col("to")).fill_null(True))
    return kept.sort("order").select(messages.columns)


def _next_ask(history: LineHistory) -> Array:
    """Return when the next ask of the same chat begins, NEVER where there is none."""
    found = np.full(len(history.first), NEVER, dtype=np.int64)
    order = np.lexsort((history.first, history.chat))
    same = history.chat[order][1:] == history.chat[order][:-1]
    found[order[:-1][same]] = history.first[order[1:][same]]
    return found


def told_signals(before: pl.DataFrame, after: pl.DataFrame, at: datetime, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the signals of the 7 days up to a transition's with and without a scenario, where they differ.

    Args:
        before: SIGNALS_DAY of the line.
        after: the same of the altered messages.
        at: the transition, UTC.
        zone: in which the days are cut.
    """
    names = (
        "outbound", "inbound", "mature", "replied", "reply_rate", "new_conversations", "recipients", "peak_recipients_1h",
        "peak_new_1h", "peak_sends_60s", "unanswered_turns", "failed", "sends_after_opt_out",
    )  # fmt: skip
    last = at.replace(tzinfo=UTC).astimezone(zone).date()
    rows = []
    for frame in (before, after):  # the same days, whatever day the last message that is left lies on
        week = frame.filter(pl.col("day") <= last, pl.col("day") > last - timedelta(days=7))
        rows.append({c: _week(week, c) for c in names})
    return [{"signal": c, "before": rows[0][c], "after": rows[1][c]} for c in names if rows[0][c] != rows[1][c]]


def _week(week: pl.DataFrame, column: str) -> float | int | None:
    """Return a signal over the week: sums of counts, the largest peak, the rate over its counts."""
    if column == "reply_rate":
        mature = int(week["mature"].sum())
        return round(int(week["replied"].sum()) / mature, 4) if mature else None
    if column.startswith("peak_"):
        return int(week[column].max() or 0)  # type: ignore[arg-type]
    return int(week[column].sum())


def words_of(signals: list[dict[str, Any]]) -> str:
    """Return what differs, as a line of words."""
    return "; ".join(
        f"{row['signal'].replace('_', ' ')} {_value(row['before'])} → {_value(row['after'])}" for row in signals
    )


def _value(value: float | int | None) -> str:
    return "–" if value is None else f"{value:.2f}" if isinstance(value, float) else count(value)
