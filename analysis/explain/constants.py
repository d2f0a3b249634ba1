"""Nothing comes in; out comes one frozen record of the modelling constants of explanations, each with unit, meaning and source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

KINDS = ("new", "answer", "followup", "touch")
"""Classes of an ask: opens a chat, answers within a day, repeats an unanswered one, or any other."""

_SHEET = "shared method sheet, 2.5 (a starting point, tuned on one simulator)"
_SHEET_4B = "shared method sheet, 4b (what held on a second simulator)"
_CONTRACT = "definition of unanswered_turns (third turn or later); the sheet has 3"
_VENDOR = "vendor's volume_spike: far above the line's normal while few recipients reply"
_FITTED = "fitted on six hidden scorers of two made-up families (linehealth evaluate --fit)"
_OWN = "own choice, checked on planted causes (tests/explain)"


def _c(default: Any, unit: str, help: str, source: str) -> Any:
    """Declare one constant: the only way to add one, so that none is without unit, meaning and source."""
    return field(default=default, metadata={"unit": unit, "help": help, "source": source})


@dataclass(frozen=True)
class Constants:
    """What the explanation method fixes; user-facing choices are ``explain_*`` fields of Settings instead."""

    deep_streak: int = _c(
        2, "asks", "A follow-up after this many unanswered asks in a row is deep: the third turn or later.", _CONTRACT
    )
    streak_days: float = _c(
        7.0,
        "days",
        "Unanswered asks further back than this do not make a follow-up deep: history may begin anywhere.",
        _OWN,
    )
    answer_hours: float = _c(24.0, "h", "An ask this soon after an inbound message answers it.", _SHEET)
    followup_hours: float = _c(72.0, "h", "An ask this soon after an unanswered one is a follow-up.", _SHEET)
    settle_seconds: float = _c(
        60.0, "s", "An inbound message counts as a reply once it is this old: by then a STOP is known.", _OWN
    )
    receipt_minutes: float = _c(30.0, "min", "A send without receipt is judged once it is this old.", _SHEET)
    receipt_share: float = _c(
        0.8, "share", "Receipts are usual for a service where this share of sends had one.", _SHEET_4B
    )
    receipt_sends: int = _c(20, "sends", "Fewer past sends on a service say nothing about its receipts.", _OWN)

    lost_sends: int = _c(
        5,
        "sends",
        "From this many sends of other lines on, their missing receipts tell whether receipts were lost.",
        _OWN,
    )
    lost_share: float = _c(0.7, "share", "Receipts were lost where this share of the other lines' had none.", _OWN)
    lost_hours: float = _c(
        3.0, "h", "Where the last half hour has too few sends to tell, this long is looked at.", _OWN
    )
    chat_receipt_asks: int = _c(
        3, "asks", "From this many asks on, a chat's own receipts say what is usual in it.", _OWN
    )
    chat_receipt_share: float = _c(
        0.5, "share", "Receipts are usual in a chat where this share of its asks had one.", _OWN
    )

    created_asks: int = _c(10, "chats", "So many creations told show that the vendor tells of them.", _OWN)
    created_days: float = _c(7.0, "days", "The last of them not longer ago than this.", _OWN)
    reply_prior: float = _c(20.0, "asks", "Weight of the fleet's reply rate in a line's own.", _SHEET)
    fail_prior: float = _c(60.0, "asks", "Weight of the fleet's share of undelivered asks in a line's own.", _SHEET)
    fail_default: float = _c(0.01, "share", "Undelivered share before the fleet has shown any.", _OWN)
    curve_prior: float = _c(50.0, "replies", "Weight of the published reply delays in the fleet's curve.", _OWN)
    pooled_growth: float = _c(
        0.1,
        "ratio",
        "Pooled rates are told anew once so many more asks are known: a late one then moves few days' rates.",
        _OWN,
    )
    pooled_step: float = _c(
        0.01,
        "share",
        "Pooled reply rates and delays are told in steps of this, so that one message more leaves them.",
        _OWN,
    )
    pooled_fail_step: float = _c(0.002, "share", "The same of pooled shares of undelivered asks.", _OWN)
    short_life_days: float = _c(12.0, "days", "A younger line's usual is the first 60 % of its life.", _SHEET)
    short_life_share: float = _c(0.6, "share", "Part of a short life that counts as usual.", _SHEET)
    least_usual_days: float = _c(2.0, "days", "Fewer quiet days make no usual.", _OWN)
    least_usual_asks: int = _c(20, "asks", "Fewer quiet asks make no usual.", _OWN)
    before_spell_days: float = _c(1.0, "days", "These days before an unhealthy spell are not usual either.", _SHEET)

    window_hours: float = _c(24.0, "h", "Window in which volume, openers and failures are scanned.", _SHEET)
    scan_step_hours: float = _c(3.0, "h", "Step of the scan.", _SHEET)
    scan_back_hours: float = _c(120.0, "h", "The last scanned window ends this long before the change.", _OWN)
    fade_hours: float = _c(72.0, "h", "A burst or failures weigh half as much this long after their first day.", _OWN)
    failure_hours: tuple[float, ...] = _c((3.0, 8.0, 24.0), "h", "Windows in which failures are scanned.", _OWN)
    busy_quantile: float = _c(
        0.95, "share", "A day's volume and openers are held against the usual day that this share stays below.", _OWN
    )
    busy_prior: float = _c(3.0, "days", "How far that day is drawn to the mean where few are known.", _OWN)
    busy_few: float = _c(2.0, "days", "Of n known days, the usual day is taken (n + this) / n times as high.", _OWN)
    short_hours: int = _c(3, "h", "Short window in which bursts are scanned beside the day.", _OWN)
    short_floor: float = _c(0.0, "doublings", "A burst within the short window scores less by this much.", _OWN)
    count_margin: float = _c(1.3, "sd", "Counts are lowered by this many square roots.", _SHEET)
    message_spread: float = _c(3.0, "variance/mean", "Over-dispersion of message counts beside ask counts.", _OWN)
    loop_replies: int = _c(
        5,
        "sends",
        "One reply answers at most this many sends of an ask where messages are counted: a loop is not answered.",
        _OWN,
    )
    pace_lasts: float = _c(
        0.7,
        "share",
        "Volume of which the busiest day has less than this is pace; else it is recipients in a short window.",
        _OWN,
    )
    loop_sends: int = _c(
        4, "sends", "An ask of so many sends counts as volume, whatever its class: it may be a loop.", _OWN
    )
    pace_of_days: float = _c(
        0.7,
        "ratio",
        "Volume is pace where it shows by the day at least this much of what it shows by its worst window.",
        _OWN,
    )
    loop_share: float = _c(
        0.3, "share", "A burst of which one chat, or chats that may be in a loop, got more is told as a loop.", _OWN
    )
    loop_each: int = _c(10, "sends", "A chat that got so many of a burst's sends may be in a loop.", _OWN)
    loop_worth: float = _c(
        0.7, "ratio", "A run of sends to one chat counts this much per doubling of the largest usual run.", _OWN
    )
    loop_floor: float = _c(0.5, "doublings", "Runs that are longer by this count for nothing.", _OWN)
    volume_replies: tuple[float, float] = _c(
        (0.75, 0.95),
        "ratio",
        "Volume counts in full below, and not at all above, this part of the usual replies.",
        _VENDOR,
    )
    volume_margin: float = _c(
        1.5,
        "sd",
        "The part of the usual replies is raised by this many deviations before it is held against those.",
        _OWN,
    )
    engaged_prior: float = _c(
        0.6, "ratio", "Part of the usual replies that is taken for sends too young to tell.", _OWN
    )
    engaged_replies: float = _c(3.0, "replies", "Weight of that part, in replies expected by now.", _SHEET)
    volume_floor: float = _c(0.1, "doublings", "Volume effect that scores nothing.", _OWN)
    first_seen_after: float = _c(
        3.0,
        "days",
        "On a line too young for a usual of openers, chats first written to from this age on bound it from above.",
        _OWN,
    )
    new_floor: float = _c(0.2, "doublings", "New-conversation effect that scores nothing.", _OWN)
    engagement_replies: float = _c(
        4.0, "replies", "Missing replies are measured against the expected ones and this many more.", _OWN
    )
    engagement_days: tuple[float, ...] = _c((2.0, 4.0, 7.0), "days", "Windows of the reply deficit.", _SHEET)
    rate_margin: float = _c(1.2, "sd", "Failures are lowered by this many deviations.", _SHEET)
    reply_margin: float = _c(0.7, "sd", "The deficit of replies is lowered by this many deviations.", _OWN)
    started_worth: float = _c(
        0.9, "ratio", "Missing replies to what the line began itself (not to its answers) weigh this much.", _OWN
    )
    started_margin: float = _c(1.0, "sd", "That deficit is lowered by this many deviations.", _OWN)
    exposure_allowed: float = _c(
        1.8, "ratio", "Asks of a class beyond this ratio of usual belong to volume, not to replies.", _SHEET
    )
    nagging_replies: float = _c(
        0.7,
        "ratio",
        "Silence is told as follow-ups where the other sends get at least this part of their replies.",
        _OWN,
    )
    nagging_welcome: tuple[float, ...] = _c(
        (0.6, 1.1),
        "ratio",
        "Deep follow-ups count in full below, and not at all above, this part of the replies that follow-ups usually get.",
        _OWN,
    )
    follow_ups_grow: float = _c(5.0, "ratio", "Late follow-ups grow with a line's other asks, up to this.", _OWN)
    amount_shows: float = _c(
        0.3, "doublings", "The amount of volume counts in full from this effect of it on, in proportion below.", _OWN
    )
    amount_half_days: float = _c(1.5, "days", "What went wrong counts half as much in amounts after this long.", _OWN)
    pressure_half_days: float = _c(3.0, "days", "Sends after an opt-out weigh half as much after this long.", _SHEET)
    wave_weight: float = _c(0.25, "sends", "One opt-out beyond usual weighs as this many sends after one.", _OWN)
    refused_code: str = _c(
        "2024",
        "code",
        "A send that fails at once with it went to a recipient who had opted out.",
        "Linq API, error 2024",
    )
    flag_hours: float = _c(48.0, "h", "A carrier's flag this long before a change is its cause.", _SHEET)
    flag_share: float = _c(0.8, "share", "Share of a flag where there is one.", _SHEET)
    fingerprint_recipients: int = _c(
        10, "recipients", "The same text to more than this many is repeated.", "LoopMessage help, nppruf (medium)"
    )

    unit_engagement: float = _c(
        0.7, "effect", "Share of the expected replies missing that is one unit of pressure.", _FITTED
    )
    unit_follow_ups: float = _c(
        1.2, "effect", "Late follow-ups above the busy day that are one unit of pressure.", _FITTED
    )
    unit_unhealthy: float = _c(
        0.3,
        "effect",
        "Share more of the active chats that are AT_RISK or CRITICAL that is one unit of pressure.",
        _FITTED,
    )
    unhealthy_days: float = _c(4.0, "days", "Chats written to in these days are the active ones.", _OWN)
    unit_spread: float = _c(0.7, "effect", "Effect of recipients that is one unit.", _FITTED)
    unit_pace: float = _c(3.0, "effect", "Effect of pace that is one unit.", _FITTED)
    unit_new: float = _c(0.47, "effect", "New-conversation effect of one unit.", _FITTED)
    unit_opt_outs: float = _c(1.0, "effect", "Opt-out effect of one unit.", _FITTED)
    unit_deliverability: float = _c(0.27, "effect", "Failure effect of one unit.", _FITTED)
    unit_repeated: float = _c(0.35, "effect", "Repeated-content effect of one unit.", _OWN)
    unit_seen: float = _c(
        0.75, "ratio", "Part of what an effect reaches in quiet times that is added to its unit.", _FITTED
    )
    unit_prior: float = _c(50.0, "quiet times", "So many quiet times count half.", _OWN)
    unit_quantile: float = _c(0.95, "share", "The point of the quiet times that is meant.", _OWN)
    doublings_prior: float = _c(
        5.0, "sends", "Counts are compared in doublings once so many are added to both sides.", _SHEET
    )
    count_prior: float = _c(0.5, "sends, days", "Added to counts and days of the usual.", _SHEET)
    volume_discount: tuple[float, ...] = _c(
        (1.5, 1.1, 0.2, 1.0),
        "ratio",
        "Volume weighs a − b × (replies / expected), between the last two.",
        _SHEET,
    )
    new_discount: tuple[float, ...] = _c(
        (1.3, 0.5, 0.4, 1.1), "ratio", "New conversations weigh a − b × (replies / expected), likewise.", _SHEET
    )
    amount_discount: tuple[float, ...] = _c((1.4, 1.1, 0.05, 1.0), "ratio", "The same for the amount of volume.", _OWN)
    amount_new_discount: tuple[float, ...] = _c(
        (1.3, 0.5, 0.3, 1.1), "ratio", "The same for the amount of new conversations.", _OWN
    )
    amount_new: float = _c(1.5, "ratio", "Openers up to this ratio of usual are no amount.", _OWN)
    amount_asks: float = _c(1.3, "ratio", "Asks up to this ratio of usual are no amount.", _OWN)
    amount_sends: float = _c(1.5, "ratio", "Sends up to this ratio of usual are no amount.", _OWN)
    deep_allowed: float = _c(1.4, "ratio", "Late follow-ups up to this ratio of usual, and", _SHEET)
    deep_slack: float = _c(2.0, "asks", "this many more, are no silence.", _SHEET)
    deep_grown: float = _c(3.0, "ratio", "In the deficit of replies that usual grows with a line up to this.", _OWN)
    silence_worth: float = _c(0.8, "replies", "A late follow-up beyond that counts as so many missing replies,", _SHEET)
    silence_due: float = _c(0.5, "replies", "and as so many that were due.", _OWN)
    follow_up_floor: float = _c(0.1, "doublings", "Effect of late follow-ups that scores nothing.", _OWN)
    reply_spread: float = _c(1.6, "variance/mean", "Over-dispersion of replies.", _SHEET)
    exposure_slack: float = _c(2.0, "asks", "Asks beyond the exposure allowed that are allowed too.", _SHEET)
    share_prior: float = _c(4.0, "asks", "Failed and unhealthy shares are of this many more.", _SHEET)
    opt_out_unit: float = _c(4.0, "sends", "Effect of opt-outs: log(1 + sends after them / this).", _SHEET)
    wave_days: float = _c(3.0, "days", "Opt-outs are counted over so many days.", _OWN)
    limit_usual: float = _c(1.3, "ratio", "The published limit counts above this ratio of the line's usual.", _OWN)
    unhealthy_prior: float = _c(
        10.0, "chats", "Weight of the share below among the line's usual unhealthy chats.", _OWN
    )
    unhealthy_default: float = _c(0.1, "share", "Unhealthy chats before a line has shown any.", _OWN)
    reply_default: tuple[float, ...] = _c(
        (0.3, 0.5, 0.2, 0.3), "share", "Replies before the fleet has shown any: new, answer, follow-up, touch.", _OWN
    )
    reply_delays: tuple[tuple[float, float], ...] = _c(
        ((0.0, 0.0), (1.0, 0.59), (6.0, 0.74), (24.0, 0.89), (72.0, 0.96), (168.0, 1.0)),
        "h, share",
        "Share of replies within so many hours, before the fleet has shown its own.",
        "CollegeMsg (shared method sheet, 2.3)",
    )
    repetition_sends: int = _c(5, "sends", "A day with fewer fingerprints says nothing about repetition.", _OWN)
    bounded_from: float = _c(2.0, "units", "Above this an effect grows with its logarithm only.", _OWN)
    ordinary_prior: float = _c(5.0, "quiet times", "So many of the line's own count half for that.", _OWN)
    amount_power: float = _c(0.45, "power", "How much more pressure more of the same makes.", _FITTED)
    amount_floor: float = _c(0.1, "days", "Amount that any effect has at least.", _OWN)
    ordinary: float = _c(0.105, "units", "Pressure of a worsening without a cause, in units of an effect.", _FITTED)
    ordinary_quantile: float = _c(0.9, "share", "The point of the line's own quiet pressures that counts.", _OWN)
    ordinary_seen: float = _c(0.4, "ratio", "Part of it that is added to the ordinary pressure.", _FITTED)
    weight_prior: float = _c(150.0, "1/variance", "How firmly a driver's weight is held at 1.", _OWN)
    weight_worsenings: int = _c(60, "worsenings", "From this many on a fleet's own worsenings may teach weights.", _OWN)
    weight_least: float = _c(0.3, "ratio", "No driver's weight falls below this.", _SHEET)
    own_weight: int = _c(10, "ratio", "A line's own quiet time weighs as this many of the fleet's.", _OWN)
    sharpness: float = _c(1.25, "power", "Pressures are raised to this power before they are shared out.", _FITTED)
    quiet_days: float = _c(7.0, "days", "A time this far from any unhealthy spell is quiet.", _SHEET)
    quiet_step_days: int = _c(2, "days", "Quiet times are looked at once in so many days, at noon UTC.", _OWN)
    quiet_back_days: int = _c(60, "days", "Quiet times further back than this do not count.", _OWN)
    quiet_lines: int = _c(50, "lines", "Quiet times are taken from this many lines, longest known first.", _OWN)
    unexplained_floor: float = _c(0.03, "share", "Nothing is ever explained beyond 1 minus this.", _OWN)

    onset_days_counts: float = _c(4.0, "days", "How far back the start of a burst is looked for.", _OWN)
    onset_days_rates: float = _c(10.0, "days", "How far back the start of a fall or of failures is looked for.", _OWN)
    onset_days_audience: float = _c(
        14.0, "days", "How far back the start of writing to chats that do not answer is looked for.", _OWN
    )
    audience_answers: float = _c(
        0.85,
        "ratio",
        "A colder audience began a fall where the other chats still give this part of their replies.",
        _OWN,
    )
    onset_excess: float = _c(1.6, "ratio", "A burst is counted against this ratio of usual.", _SHEET)
    onset_reply_ratio: float = _c(0.4, "ratio", "A fall in replies is looked for as this ratio of usual.", _SHEET)
    onset_fail_rate: float = _c(0.12, "share", "Failures are looked for at this rate at least.", _SHEET)
    onset_likelihood: float = _c(
        2.0, "log likelihood", "Beginnings this much less likely than the best are possible too.", _SHEET
    )
    opt_out_gap_hours: float = _c(36.0, "h", "Sends after opt-outs further apart are separate runs.", _SHEET)
    drift_days: float = _c(14.0, "days", "A change of the vendor's scoring is looked for this far back.", _OWN)
    drift_before: float = _c(
        14.0, "days a line", "With less before it, no change of scoring is told: nobody knows what is usual then.", _OWN
    )
    drift_unexplained: float = _c(0.5, "share", "Worsenings unexplained by this much count for it.", _OWN)
    drift_lines: int = _c(4, "lines", "Fewer lines show no change of scoring.", _OWN)
    drift_share: float = _c(0.1, "share of lines", "A smaller part of the fleet shows no change of scoring.", _OWN)
    drift_ratio: float = _c(3.0, "ratio", "At least this many times as many as expected.", _OWN)
    drift_likelihood: float = _c(5.0, "log likelihood", "At least this much less likely by chance.", _OWN)
    eased_enough: float = _c(
        1.5, "ratio", "Pressure that eased counts this much: two thirds of it eased explain a recovery.", _OWN
    )
    interval_reach: float = _c(1.28, "sd", "Intervals of shares and pressures reach this far: 80 %.", _OWN)
    audience_grown: float = _c(0.1, "share", "A colder audience is told of where its share grew by this much.", _OWN)
    peers_hours: float = _c(6.0, "h", "Replies of other lines are compared within so many hours of the send.", _OWN)
    peers_days: float = _c(28.0, "days", "Before is so many days before a fall began.", _SHEET)
    peers_fall: float = _c(0.15, "share", "A smaller fall than this is not held against the other lines.", _OWN)
    peers_part: float = _c(0.5, "ratio", "The fleet fell too where it fell by this part of the line's own fall.", _OWN)
    openings_shown: int = _c(100, "rows", "At most so many opening sends or chats are listed with a driver.", _OWN)
    action_least: float = _c(0.1, "ordinary pressures", "A step that eases less than this is not told.", _OWN)
    basis_asks: int = _c(30, "asks", "A driver that rests on fewer in the week is called guessed.", _OWN)
    due: float = _c(0.8, "share", "An ask counts as left unanswered once this share of replies would have come.", _OWN)
    share_least: float = _c(0.005, "share", "A driver with less is not listed.", _OWN)
    answered_weight: float = _c(
        0.2, "ratio", "What a chat left unanswered weighs this much once it answers again.", _OWN
    )
    deep_weight: float = _c(
        0.8, "replies", "A late follow-up weighs as this many missing replies in the list of chats.", _SHEET
    )
    audit_days: float = _c(7.0, "days", "An audit this long after a change still speaks of it.", _OWN)
    audit_named: float = _c(0.15, "share", "Our share from which we name what the vendor names.", _OWN)
    audit_ours: float = _c(0.25, "share", "Our share from which the vendor's silence about it is a difference.", _OWN)
    audit_least: int = _c(30, "audits", "From this many on they correct the stated confidence.", _SHEET)
    audit_prior: float = _c(30.0, "audits", "Our own stated confidence counts as this many.", _OWN)
    progress_days: float = _c(0.5, "days", "Sooner after a change nothing is said of what was done since.", _OWN)
    onset_ratios: tuple[float, float] = _c(
        (0.05, 0.6), "ratio", "The ratio of a fall that was found stays within.", _OWN
    )
    onset_certain: float = _c(0.95, "share", "No reply and no failure is expected more surely.", _OWN)
    onset_least_expected: float = _c(0.005, "replies", "Asks of which less is due by now tell no fall.", _OWN)
    onset_even: float = _c(0.15, "share", "Part of an even day in the line's daily rhythm.", _OWN)
    onset_drawn: float = _c(5.0, "asks", "Weight of the usual audience in the colder one.", _OWN)
    drift_prior_days: float = _c(30.0, "days", "Weight of a quiet fleet in the rate of its unexplained changes.", _OWN)
    step_share: float = _c(
        0.05,
        "share",
        "Drivers with less get no step of the playbook; what eases less of the pressure is not told.",
        _OWN,
    )
    step_colder: float = _c(1.5, "ratio", "Chats that do not answer are named where their part grew by this.", _OWN)
    done_slack: float = _c(
        1.2, "ratio", "A step is done where the last day is at most this ratio of what it allows.", _OWN
    )
    done_failed: float = _c(0.02, "share", "Failures are over where at most this share failed in the last day.", _OWN)
    burst_answered: float = _c(
        0.05, "ratio", "A send of a burst that was answered weighs this much in the list of chats.", _OWN
    )
    high_from: float = _c(0.75, "probability", "Confidence is called high from here on,", _OWN)
    medium_from: float = _c(0.5, "probability", "and medium from here on.", _OWN)
    spoken_rate: int = _c(
        30, "sends", "Rates are spoken of from so many sends on, counts below.", "design sheet, section 6"
    )
    spoken_ripe: float = _c(0.9, "share", "Rates are spoken of once this share of replies would have come.", _OWN)
    spoken_stopped: float = _c(0.8, "share", "A larger fall is spoken of as stopped,", "design sheet, section 6")
    spoken_halved: float = _c(0.4, "share", "a larger fall as halved.", "design sheet, section 6")
    spoken_alone: float = _c(0.05, "share", "A cause stands alone where every other has less.", _OWN)
    spoken_named: float = _c(0.1, "share", "Candidates are named from this share on where none is clear.", _OWN)
    rise_told: float = _c(
        1.5, "ratio", "Volume beyond this ratio of a busy day is told where nothing explains a change.", _OWN
    )
    spoken_silent: float = _c(0.3, "share", "Sends to silent chats are named from this part of the volume on.", _OWN)
    two_causes_share: float = _c(0.25, "share", "A second cause this large is named too.", "design sheet, section 6")
    least_asks_shown: int = _c(10, "asks", "Fewer asks since a fall began: its whole window is shown instead.", _OWN)
    confidence_unmeasured: float = _c(
        0.49, "probability", "Stated confidence of a recovery is at most this where what eased was not measured.", _OWN
    )
    confidence_unexplained: float = _c(0.74, "probability", "Highest stated where nothing explains a change.", _OWN)
    confidence_no_data: float = _c(0.3, "probability", "Stated where there is not enough data to say.", _OWN)
    confidence_most: float = _c(0.97, "probability", "Highest stated for any cause.", _OWN)
    confidence_flag: float = _c(0.95, "probability", "Stated for a carrier's flag.", _OWN)
    confidence_prior: float = _c(15.0, "asks", "Data worth this many asks pulls confidence to .3.", _OWN)


CONSTANTS = Constants()
