"""Figures of a transition in, one sentence out; one function per rule of the design sheet, section 6."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from analysis.explain.constants import CONSTANTS, HOUR
from analysis.explain.evidence import Figures
from analysis.explain.words import after, count, day, in_100, lasting, moment, of, one_in, percent, plural, since


def num(f: Figures, key: str) -> float:
    """Return a figure as a number, 0 where it is unknown."""
    value = f.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def replies_fell(f: Figures, began: int | None, t: int, zone: ZoneInfo) -> str:
    """Replies stopped (fall > 80 %), halved (40-80 %) or fell; counts instead of rates while young or under 30 sends."""
    start = f"in the {lasting(num(f, 'window_hours') * HOUR)} before the change"
    if began is not None and began >= t - (num(f, "window_hours") + 0.1) * HOUR:
        start = f"since {since(began, t, zone)}"
    k, n, answered, usual = CONSTANTS, int(num(f, "observed_of")), int(num(f, "observed_count")), num(f, "usual")
    rate = num(f, "observed") if f.get("observed") is not None else answered / max(n, 1)
    fall = 1 - rate / usual if usual else 0.0
    word = (
        "Replies stopped" if fall > k.spoken_stopped else "Replies halved" if fall > k.spoken_halved else "Replies fell"
    )
    if num(f, "ripe") < k.spoken_ripe or n < k.spoken_rate:
        return f"{word}: {of(answered, n, 'sends')} answered {start}, where {count(num(f, 'usual_by_now'))} would be usual by now."
    seen = f"{in_100(rate)} sends" if answered else of(0, n, "sends")
    return f"{word}: {seen} answered {start}, where {round(100 * usual)} used to be."


def follow_ups(f: Figures) -> str:
    """Sends into chats that left the last two or more unanswered."""
    return (
        f"{count(num(f, 'observed'))} sends a day into chats silent for two or more, usually {count(num(f, 'usual'))}."
    )


def unhealthy(f: Figures) -> str:
    """Active chats that the vendor calls AT_RISK or CRITICAL."""
    n, bad = int(num(f, "observed_of")), int(num(f, "observed_count"))
    rate = f" ({percent(num(f, 'observed'))})" if n >= CONSTANTS.spoken_rate else ""
    return f"{of(bad, n, 'active chats')} are at risk or critical{rate}, usually {percent(num(f, 'usual'))}."


def burst(f: Figures) -> str:
    """Many new conversations in a day, against the usual or, on a line without one, against nothing."""
    answered, whole = int(num(f, "answered")), int(num(f, "answered_of"))
    back = (
        f"{percent(answered / whole)} of them answered."
        if whole >= CONSTANTS.spoken_rate
        else f"{of(answered, whole, 'answered')}."
    )
    back = back[0].upper() + back[1:]
    if f.get("usual") is None and f.get("first_seen_before") is not None:
        most = plural(num(f, "first_seen_before"), "chat")
        return f"{plural(num(f, 'observed'), 'new conversation')} in a day; before it this line of {lasting(num(f, 'line_days') * 24 * HOUR)} first wrote to {most} a day at most. {back}"
    if f.get("usual") is None:
        return f"{plural(num(f, 'observed'), 'new conversation')} in a day on a line {lasting(num(f, 'line_days') * 24 * HOUR)} old, too young to have a usual. {back}"
    usual = num(f, "usual")
    if usual < 3:
        return f"{plural(num(f, 'observed'), 'new conversation')} in a day on a line that usually opens {count(usual)}. {back}"
    return f"{plural(num(f, 'observed'), 'new conversation')} opened in a day, against a usual {count(usual)}. {back}"


def volume(f: Figures) -> str:
    """Many sends in a short time, and where they went."""
    window = lasting(num(f, "window_hours") * HOUR)
    if f.get("limit") is not None:
        usual = "" if f.get("usual") is None else f", usually {count(num(f, 'usual'))}"
        return (
            f"{count(num(f, 'observed'))} messages in a day{usual}; at most {count(num(f, 'limit'))} are recommended."
        )
    to = "" if num(f, "recipients") < 2 else f" to {plural(num(f, 'recipients'), 'chat')}"
    text = f"{plural(num(f, 'observed'), 'send')}{to} in {window}, usually {count(num(f, 'usual'))}"
    if num(f, "top_chat_sends") > CONSTANTS.loop_share * num(f, "observed"):
        return f"{text}; {count(num(f, 'top_chat_sends'))} of them went to one chat."
    if num(f, "loop_sends") > CONSTANTS.loop_share * num(f, "observed"):
        each = round(num(f, "loop_sends") / max(num(f, "loop_chats"), 1))
        return f"{text}; about {count(each)} each to {plural(num(f, 'loop_chats'), 'chat')}."
    if num(f, "to_silent_chats") > CONSTANTS.spoken_silent * num(f, "observed"):
        return f"{text}; {count(num(f, 'to_silent_chats'))} of them went to chats that had not answered the last one."
    whole = int(num(f, "answered_of"))
    return f"{text}; {of(int(num(f, 'answered')), whole, 'were answered')}."


def opted_out(f: Figures) -> str:
    """Sends to people who had opted out; or, where that weighs more, a wave of opt-outs."""
    sends, left = num(f, "observed"), num(f, "opted_out_3d")
    usual = "" if f.get("usual_opted_out_3d") is None else f", usually {count(num(f, 'usual_opted_out_3d'))}"
    wave = f"{plural(left, 'person', 'people')} opted out in 3 days{usual}"
    if not sends:
        return f"{wave}."
    if CONSTANTS.wave_weight * (left - num(f, "usual_opted_out_3d")) > sends:
        return f"{wave}; {plural(sends, 'send')} went out after that."
    text = f"{plural(sends, 'send')} to {plural(num(f, 'people'), 'person', 'people')} who had opted out"
    return f"{text}, in {lasting(num(f, 'window_hours') * HOUR)}." if sends > 1 else f"{text}."


def delivery(f: Figures, began: int | None, t: int, zone: ZoneInfo) -> str:
    """The share of failed sends against the usual."""
    n, bad = int(num(f, "observed_of")), int(num(f, "observed_count"))
    word = "failed" if num(f, "failed") >= num(f, "without_receipt") else "got no receipt"
    start = f" since {moment(began, zone)}" if began is not None else ""
    if not num(f, "usual_of"):
        usual = "no usual is known yet"
    elif not num(f, "usual_count"):
        usual = f"none of {count(num(f, 'usual_of'))} did before"
    else:
        usual = f"{one_in(num(f, 'usual'))} is usual"
    seen = (
        f"all {count(n)} sends"
        if bad == n
        else of(bad, n, "sends")
        if n < CONSTANTS.spoken_rate
        else f"{one_in(num(f, 'observed'))} sends"
    )
    return f"{seen[0].upper() + seen[1:]} {word}{start}; {usual}."


def flag(f: Figures, began: int | None, zone: ZoneInfo, *, alone: bool) -> str:
    """The carrier's flag; "no other cause" only where no other driver has a share."""
    text = "The carrier flagged the line" + (f" on {moment(began, zone)}" if began is not None else "")
    if num(f, "sends_after") and num(f, "failed_after"):
        return f"{text}; {count(num(f, 'failed_after'))} of the next {count(num(f, 'sends_after'))} sends failed."
    return f"{text}. No other cause shows before it." if alone else f"{text}."


def repeated(f: Figures) -> str:
    """The same text to many."""
    return (
        f"The same text went to {count(num(f, 'recipients'))} recipients in a day: {of(int(num(f, 'observed_count')), int(num(f, 'observed_of')), 'sends')}, "
        f"usually {percent(num(f, 'usual'))}."
    )


def clause(driver: str, f: Figures) -> str:
    """Return a cause as a noun phrase, for a sentence that names two."""
    if driver == "engagement" and "follow_ups" in f:
        return f"{count(num(f, 'observed'))} sends a day into silent chats, usually {count(num(f, 'usual'))}"
    if driver == "engagement" and "unhealthy_chats" in f:
        return unhealthy(f).rstrip(".")
    if driver == "engagement":
        n, answered = int(num(f, "observed_of")), int(num(f, "observed_count"))
        return f"{of(answered, n, 'sends')} answered where {count(num(f, 'usual_by_now'))} is usual"
    if driver == "deliverability":
        return f"{of(int(num(f, 'observed_count')), int(num(f, 'observed_of')), 'sends')} not delivered"
    if driver == "new_conversations":
        return f"{plural(num(f, 'observed'), 'new conversation')} in a day"
    if driver in ("recipient_spread", "send_pace"):
        word = "message" if f.get("limit") is not None else "send"
        usual = f" where {count(num(f, 'usual'))} are usual" if f.get("usual") is not None else ""
        return f"{plural(num(f, 'observed'), word)} in {lasting(num(f, 'window_hours') * HOUR)}{usual}"
    if driver == "opt_outs":
        return opted_out(f).split(", in ")[0].rstrip(".")
    if driver == "flagged":
        return "the carrier's flag"
    return f"the same text to {count(num(f, 'recipients'))} recipients"


def one_cause(driver: str, f: Figures, began: int | None, t: int, zone: ZoneInfo, *, alone: bool) -> str:
    """Return the sentence of one driver."""
    if driver == "engagement":
        if "unhealthy_chats" in f:
            return unhealthy(f)
        return follow_ups(f) if "follow_ups" in f else replies_fell(f, began, t, zone)
    if driver == "deliverability":
        return delivery(f, began, t, zone)
    if driver == "flagged":
        return flag(f, began, zone, alone=alone)
    rules = {"new_conversations": burst, "opt_outs": opted_out, "repeated_content": repeated}
    return rules.get(driver, volume)(f)


_VOLUME = {"recipient_spread", "send_pace"}


def worsening(
    shares: list[tuple[str, float]],
    figures: dict[str, Figures],
    began: dict[str, int | None],
    t: int,
    zone: ZoneInfo,
    rise: Mapping[str, float] | None = None,
) -> str:
    """Return the headline of a worsening: no clear cause (with the volume that rose, if any), two causes (second >= 25 % and half the first), or one."""
    if shares[0][0] == "unexplained":
        return no_clear_cause(shares, figures, rise)
    named = [(d, s) for d, s in shares if d != "unexplained"]
    (first, share), *others = named
    # many recipients and pace are told by the same sends: one cause in a sentence
    second = next((of for of in others if not {first, of[0]} <= _VOLUME), None)
    if first != "flagged" and second and second[1] >= CONSTANTS.two_causes_share and second[1] >= share / 2:
        return f"Two causes together: {clause(first, figures[first])}, and {clause(second[0], figures[second[0]])}."
    alone = all(s < CONSTANTS.spoken_alone for _, s in others)
    return one_cause(first, figures[first], began.get(first), t, zone, alone=alone)


def no_clear_cause(
    shares: list[tuple[str, float]], figures: dict[str, Figures], rise: Mapping[str, float] | None = None
) -> str:
    """Nothing out of the usual; volume that was answered; or the one thing that was a little out, as too small to be the cause."""
    named = [(d, s) for d, s in shares if d != "unexplained" and s >= CONSTANTS.spoken_named]
    if rise is not None and (not named or named[0][0] in ("recipient_spread", "send_pace")):
        answered = of(int(rise["answered"]), int(rise["answered_of"]), "were answered")
        return f"No clear cause. Volume rose, {plural(rise['observed'], 'send')} in a day where {count(rise['usual'])} are usual, and {answered} where {count(round(rise['usual_by_now']))} is usual."
    if not named:
        return "No clear cause. Replies, volume, openers and failures were all within this line's usual."
    return f"No clear cause. The largest change, too small to explain it: {clause(named[0][0], figures[named[0][0]])}."


def not_enough(sends: int, *, young_days: float | None, any_message: bool) -> str:
    """Too little data before the change."""
    if not any_message:
        return "Not enough data to say: no message of this line before the change is loaded."
    if young_days is not None:
        return f"Not enough data to say: {plural(sends, 'send')} on a line {lasting(max(young_days, 0.05) * 24 * HOUR)} old; it has no usual yet."
    return f"Not enough data to say: {plural(sends, 'send')} in the week before the change."


def no_usual(sends: int) -> str:
    """Enough sends, but no quiet past to compare them with."""
    return f"Not enough data to say: no quiet past of this line is loaded to compare {plural(sends, 'send')} with."


def recovered(word: str, after_ms: int | None, reasons: list[str], t: int, zone: ZoneInfo) -> str:
    """Healthy again; the reasons only where they were measured."""
    text = word + (f" {after(after_ms)}" if after_ms is not None else f" on {day(t, zone)}")
    return f"{text}: {' and '.join(reasons)}." if reasons else f"{text}. What eased does not show in the data."
