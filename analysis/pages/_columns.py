"""A column of a download in; what it means and its unit out: the data dictionary (METHOD.md has the formulas).

One name means one thing in every file.
"""

from __future__ import annotations

RATES = "sends answered in the same chat within the reply window, of those old enough to have been"
COLUMNS: dict[str, tuple[str, str]] = {
    # ------------------------------------------------------------------ who, when, what
    "line": ("own number", ""),
    "day": ("calendar day in the store's zone", "date"),
    "clock": ("hour of the day in the store's zone", "0 to 23"),
    "at_utc": ("end of the 24 h that the row counts", "UTC"),
    "hour_utc": ("begin of the hour", "UTC"),
    "start_utc": ("begin", "UTC"),
    "end_utc": ("end; empty: not over at the newest data", "UTC"),
    "changed_at_utc": ("when the vendor changed the state", "UTC"),
    "onset_utc": ("when the main cause left its usual range; empty where that cannot be dated", "UTC"),
    "last_fall_utc": ("latest change for the worse", "UTC"),
    "health_since_utc": ("begin of the present health; empty: since before the first report", "UTC"),
    "lead_hours": ("from the onset to the change", "hours"),
    "kind": ("health or status of the line; on Replies: which sends", ""),
    "health": ("the line's health; empty while unknown", ""),
    "status": ("the line's status; empty while unknown", ""),
    "state": ("state of health", ""),
    "previous": ("state before the change; empty where no report told it", ""),
    "new": ("state after the change", ""),
    "worst": ("worst state of the spell", ""),
    "tile": ("figure at the head of the page", ""),
    # ------------------------------------------------------------------ causes
    "main_cause": ("cause with the largest share", ""),
    "main_driver": ("cause with the largest share", ""),
    "driver": ("cause", ""),
    "share": ("part of the change put down to the cause; all shares of a change add up to 1", "0 to 1"),
    "share_low": ("the share with this cause as weak as chance may make it (80 %)", "0 to 1"),
    "share_high": ("the share with this cause as strong as chance may make it (80 %)", "0 to 1"),
    "basis": ("verified (counted events), correlated (against the usual) or guessed (few sends)", ""),
    "summary": ("the cause in one sentence, with its counts", ""),
    "observed": ("seen, in the unit of the cause: a share for replies and failures, else a count", ""),
    "usual": ("usual of this line, in the same unit as what stands beside it; empty: no usual yet", ""),
    "confidence": ("how sure the main cause is, in a word", ""),
    "confidence_p": ("chance that the main cause is the right one", "0 to 1"),
    "headline": ("the change in one sentence", ""),
    "falls": ("changes of health or status for the worse", "changes"),
    "falls_7d": ("changes to this state for the worse in the last 7 days", "changes"),
    "week_ago": ("lines in this state 7 days before the newest data", "lines"),
    "new_today": ("conversations opened on the day of the newest data", "chats"),
    "new_recipients_left_today": ("new conversations that the line may still open that day", "chats"),
    "relapse": ("the line had been healthy again for no more than 7 days", ""),
    "days": ("from the fall to the next report that the line is healthy", "days"),
    # ------------------------------------------------------------------ sends and replies
    "count": ("what the figure counts", "lines, sends answered, or new conversations opened today"),
    "of": ("of how many: all lines, sends old enough to have been answered, or new conversations opened and left", ""),
    "sends": ("messages sent", "messages"),
    "outbound": ("messages sent", "messages"),
    "counted": ("sends, not failed, old enough to have been answered", "messages"),
    "answered": (RATES, "messages"),
    "reply_rate": ("answered over counted; empty where nothing was counted", "0 to 1"),
    "sends_a_day": ("sends over days", "messages a day"),
    "new_a_day": ("new conversations, mean of the days", "chats a day"),
    "new_conversations": ("chats whose first message ever seen is a send, at that message", "chats"),
    "failed": ("sends with a failure and neither a delivery nor a read time", "messages"),
    "failure_code": ("the vendor's code of the failure", ""),
    "unanswered_turns": ("turns that are the third or later since the person last wrote", "turns"),
    "sends_after_opt_out": ("sends in a chat whose latest known health is OPTED_OUT", "messages"),
    "recipients": (
        "most distinct chats sent to in any 24 h that ended with a send of the hour; empty: no send",
        "chats",
    ),
    "chats_active": ("chats with a message in the 7 days up to then", "chats"),
    "chats_at_risk": ("of these, latest known health AT_RISK", "chats"),
    "chats_critical": ("of these, latest known health CRITICAL", "chats"),
    "chats_opted_out": ("of these, latest known health OPTED_OUT", "chats"),
    "line_days": ("time that lines spent in the state", "days"),
    "lines": ("lines that were in the state", "lines"),
    "times": ("sends a day now over before; empty where too few", "ratio"),
    "change_points": ("rate now minus rate before; empty under 30 counted sends", "points"),
    "grew": ("at least 1.1 times the sends a day of before", ""),
    "fell": ("replies fell by 5 points or more, beyond chance", ""),
    "rose": ("replies rose by 5 points or more, beyond chance", ""),
    "now": ("sends of this kind in the period", "messages"),
    "now_of": ("all sends counted in the period", "messages"),
    "before": ("sends of this kind in the period before", "messages"),
    "before_of": ("all sends counted in the period before", "messages"),
    # ------------------------------------------------------------------ new conversations
    "opened": ("conversations opened", "chats"),
    "mature": ("of these, old enough to have been answered", "chats"),
    "replied": ("of these, answered within the reply window", "chats"),
    "old_enough": ("openers old enough to have been answered", "chats"),
    "opened_fullest_24h": ("conversations opened in the fullest 24 h of the burst", "chats"),
    "usual_day": ("conversations the line usually opens in a day; empty: no usual yet", "chats a day"),
    "times_usual": ("fullest 24 h over the usual day", "ratio"),
    "opened_start_to_end": ("conversations opened from start to end", "chats"),
    "followed_by": ("what followed within 72 h of the start", ""),
    "fall_at_utc": ("first change of health for the worse within 72 h of the start", "UTC"),
    "smallest_min": ("smallest gap between two openers next to each other in time", "minutes"),
    "median_min": ("median of these gaps", "minutes"),
    "gaps": ("gaps counted", "gaps"),
    # ------------------------------------------------------------------ what to do
    "chat_id": ("the vendor's chat id, or a keyed name where an id would tell a person", ""),
    "reason": ("why the chat stands here", ""),
    "silent_hours": ("since the person last wrote; empty: never wrote", "hours"),
    "last_reply_at": ("when the person last wrote; empty: never", "UTC, ISO 8601"),
    "chat_health": ("latest known health of the chat at the change", ""),
    "chat_health_since": ("since when that is so", "UTC, ISO 8601"),
    "action": ("what to do", ""),
    "expected_effect": ("what it is expected to change", ""),
    "name": ("what is left out", ""),
    "pressure_before": ("pressure on the line as it was; 1: as on days when nothing is wrong", "times ordinary"),
    "pressure_after": ("the same without what is left out", "times ordinary"),
    "pressure_after_low": ("that pressure as low as chance may make it (80 %)", "times ordinary"),
    "pressure_after_high": ("that pressure as high as chance may make it (80 %)", "times ordinary"),
}
SIDES = {"_now": ", in the period", "_before": ", in the period before"}
SIDED = {"days": ("days since the line was first seen", "days"), "rate": ("answered over counted", "0 to 1")}


def meaning(name: str) -> tuple[str, str]:
    """Return what a column means and its unit; two empty words where the dictionary does not have it."""
    for ending, words in SIDES.items():
        stem = name.removesuffix(ending)
        if stem != name and name not in COLUMNS:
            told, unit = SIDED.get(stem) or COLUMNS.get(stem, ("", ""))
            return (told + words if told else ""), unit
    return COLUMNS.get(name, ("", ""))
