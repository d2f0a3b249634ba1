"""Nothing comes in; for each card, what its figures are and the command that gives them go out (METHOD.md has the formulas)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class How:
    """What a card counts, in words, and the call that gives the same figures; braces stand for what is shown."""

    title: str
    words: str
    call: str


DAYS = "linehealth signals --grain day --line {line} --json"
HOURS = "linehealth signals --grain hour --line {line} --json"
ALL_DAYS = "linehealth signals --grain day --json"
ALL_HOURS = "linehealth signals --grain hour --json"
EXPLAIN = "linehealth explain --line {line} --json"

HOW = {
    "tiles": How(
        "The figures at the head",
        "Lines by the latest health that the vendor reported; flagged is the status that the carrier's flag sets, and may come with any health. "
        "A week ago: lines in that state 7 days before the newest data. "
        "Falls: changes for the worse to that state in the last 7 days. Room: new conversations opened today, of those and what is left "
        "by the gate (page Ahead). Replies: sends of the last 7 days, today among them, with an answer in "
        "the same chat within the reply window, of those old enough to have had one.",
        "linehealth status --json",
    ),
    "needs": How(
        "Who needs somebody",
        "Lines whose latest health is at risk or critical, or that the carrier flagged; worst first, then the shortest time so. The reason is "
        "that of the line's latest change for the worse. Sends and replies: as in All lines.",
        "linehealth explain --json",
    ),
    "ribbons": How(
        "Ribbons of health",
        "Time in each state as the vendor reported it, cut to the 30 days up to the newest data. Before a line's first report it was in the "
        "state that this report calls the previous one. Letters: the main cause of each change for the worse.",
        "import analysis as lh; lh.spells()",
    ),
    "causes": How(
        "Main cause of a fall",
        "Each change of a line's health or status for the worse counts once, under the cause with the largest share. "
        "Falls that the data does not explain are counted as unexplained.",
        "linehealth explain --json",
    ),
    "lines": How(
        "Figures of a line",
        "Replies, 7 d: sends of the last 7 days with an answer in the same chat within the reply window, of those old enough "
        "to have had one. Sends and new conversations a day: means of the last 7 days. New left and used today: the gate's, "
        "for the day of the newest data (page Ahead).",
        "linehealth signals --grain day --json",
    ),
    "lanes": How(
        "Lanes",
        "Each point is the 24 h up to the end of its hour (chat health: 7 days). Replies: sends answered in the same chat "
        "within the reply window, of those old enough to have been; answers that came after the moment shown count too. "
        "Usual: the 10th to 90th percentile of this line's own healthy hours in the 28 days before it began. "
        "Distinct recipients: the most in any 24 h that ended with a send of that hour. A period that is dragged over counts its whole hours; "
        "usual there: the mean of the same hours of the day over those healthy hours.",
        HOURS,
    ),
    "first": How(
        "The change, when it began, and how sure that is",
        "The change and its time are the vendor's. Began: when the main cause left this line's usual range. Confidence: the chance that the "
        "main cause is the right one, from how it did on made-up fleets with known causes. Shares: see the evidence.",
        EXPLAIN,
    ),
    "steps": How(
        "What to do",
        "Steps for the causes of this change, the one that is expected to lower the pressure most first. The expected effect counts the week "
        "before the change again without what the step prevents, in this model.",
        EXPLAIN,
    ),
    "evidence": How(
        "Causes and shares",
        "Verified: counted events, such as reported failures or sends after an opt-out. Correlated: a difference from this line's "
        "usual. Guessed: the same, from few sends. "
        "Each cause is compared with this line's own past, after taking out what other causes explain; the shares, with "
        "unexplained among them, add up to 100 %. Nothing later than a change for the worse is used to explain it. "
        "Replies here count sends close together as one, so they can differ a little from the lanes.",
        EXPLAIN,
    ),
    "volume": How(
        "Reply rate against volume",
        "Sends of the day and, of those old enough, the share with an answer in the same chat within the reply window. "
        "The box holds the 10th to 90th percentile of healthy days before it began.",
        DAYS,
    ),
    "burst": How(
        "New conversations",
        "A chat whose first message ever seen is a send of this line, at that message; a chat known to be older is not new. "
        "Answered: an inbound message in that chat within the reply window.",
        HOURS,
    ),
    "moves": How(
        "Where each line was and is",
        "Sends a day: sends of the period over its days, counted from the line's first day in the data. Replies: sends answered in "
        "the same chat within the reply window, of those old enough to have had one. Lines with fewer than 30 counted sends in "
        "either period, or seen in less than half of the period before, are not drawn. The dashed line is the vendor's help centre: "
        "it speaks of 7 days, whatever the period here.",
        ALL_DAYS,
    ),
    "growth": How(
        "More volume, fewer replies",
        "More volume: at least 1.1 times the sends a day of before. Fewer replies: the rate is at least 5 points lower and the "
        "difference is more than two standard errors, each send counted by itself. Pale marks moved 5 points or more, and chance "
        "alone may make that of so few sends: their replies count as kept.",
        ALL_DAYS,
    ),
    "replies": How(
        "Line by line",
        "n of m: sends answered, of those old enough to have been. Change: the rate now minus the rate before, in points. "
        "Bold: at least 5 points and more than two standard errors. Health is that at the latest data.",
        ALL_DAYS,
    ),
    "mix": How(
        "Kinds of sends",
        "Opening a conversation: the first message ever seen in a chat, sent by the line. Third or later unanswered: turns (sends "
        "less than 5 minutes apart are one) that follow two or more without an answer, counted once at their first send. The rest "
        "are all others, the further sends of such turns among them. Days in a line's first 7 in the data are left out: "
        "chats that began before look new there.",
        ALL_DAYS,
    ),
    "failures": How(
        "Failed sends",
        "Outbound messages with a failure and neither a delivery nor a read time: a delivery after a failure wins.",
        HOURS,
    ),
    "troubles": How(
        "Falls, and what became of them",
        "Falls from healthy that began in the period. Over: the vendor reported the line healthy again; a fall whose end was not reported is "
        "left out. Time to recover: the median of those that are over. Relapse: the line had been healthy for no more than 7 days.",
        "linehealth explain --json",
    ),
    "recovery": How(
        "Time to recover",
        "From a fall from healthy to the next report that the line is healthy. A fall whose end was not reported is left out. Cause: the "
        "main cause of the fall.",
        "linehealth explain --json",
    ),
    "states": How(
        "Time in each state",
        "Spells of health within the period, from the first report of each line on; a spell that goes on is counted up to the newest data.",
        "import analysis as lh; lh.spells()",
    ),
    "log": How(
        "Changes",
        "Every change of health or status that the vendor reported, with its main cause and share. The CSV holds times in UTC and all figures.",
        "linehealth explain --json",
    ),
    "deliveries": How(
        "Gaps in the deliveries",
        "The vendor retries a delivery for 30 minutes; after a longer outage its events are gone. From its own past each line, and the "
        "whole fleet, has a chance of an empty five minutes for every hour of the week. A silence longer than gap_minutes is a gap where "
        "one as deep comes by itself at most gap_false_alarms times a year. Messages expected: what the same hours of the week "
        "usually hold. A pause by the sender looks the same: a gap says that nothing arrived, not why.",
        "linehealth gaps --json",
    ),
    "late": How(
        "Duplicates and late events",
        "Read = new + merged + duplicates + ignored kinds + refused, each row of a file once. Late: the vendor made the event more than an hour "
        "(24 hours) after what it tells happened, of message events that say both times; only webhook deliveries with their envelope "
        "do. A dash: the file says no such times, or was loaded by an older version. Receipt: a delivery or read time.",
        "import analysis as lh; lh.sources()",
    ),
    "receipts": How(
        "Receipts",
        "With a receipt: sends, not failed, with a delivery or read time. Late: delivered more than an hour (24 hours) after the send.",
        "import analysis as lh; lh.delays()",
    ),
    "refused": How(
        "Refused rows",
        "Rows that could not be used: where, why, what to do. They keep no value of the row itself. Position: line of a text file, row of a "
        "Parquet file, from 1; 0 for a conflict found in the store.",
        "linehealth quarantine --json",
    ),
    "sources": How(
        "Files loaded",
        "Each row of a file counts once: read = new + merged + duplicates + ignored kinds + refused. The same file loaded twice counts nothing "
        "twice.",
        "import analysis as lh; lh.sources()",
    ),
    "settings": How(
        "Settings in force",
        "The store keeps the settings that were changed, and the query gives these; all others are the defaults of this version.",
        "linehealth settings --json",
    ),
    "fresh": How(
        "How fresh each line is",
        "Newest event: the latest message, delivery, read or failure time of the line. Silent: from it to the newest event of any line. "
        "Age now: from it to this moment. Unusual: a silence that is not over and that the line's, or the whole fleet's, own rhythm does "
        "not give (gaps in the deliveries). Longer than gap_longest_days: not in use.",
        "import analysis as lh; lh.freshness()",
    ),
    "what_if": How(
        "What if",
        "Sends of the week before the change are left out by a rule (a burst beyond the usual day, volume beyond the busy day, "
        "late follow-ups, sends after opt-outs), with the replies to them, and signals and pressure counted again. Pressure: "
        "times what is ordinary where nothing is wrong; in brackets what chance alone makes of it (80 %).",
        "linehealth what-if --line {line} --json",
    ),
    "chats": How(
        "Chats to fix first",
        "Chats that weigh most in the causes over the 7 days before the change: missing answers, failed sends, unanswered "
        "openers, sends after an opt-out. Unanswered in a row: turns since the person last wrote.",
        EXPLAIN,
    ),
    "bursts": How(
        "Bursts of new conversations",
        "A burst: hours in which a line's new conversations of the last 24 h are at least 10 and at least 3 times its usual day. "
        "Usual day: 24 times the mean of its healthy hours in the 28 days before those 24 h; it takes 7 days of such hours and at "
        "least one opener in two days, else there is no usual yet and 10 are enough. Two bursts of a line are at least 24 h apart. "
        "A line's first 7 days count only if it appeared more than 7 days after the data begins: before that, old chats look new. "
        "Times usual: the fullest 24 h over the usual day. What followed: the first change of health for the worse within 72 h of "
        "the burst's start (a carrier's flag is not counted). Other hours: hours of the period outside bursts, of lines with known "
        "health that is not critical, at least 72 h old.",
        ALL_HOURS,
    ),
    "burst_gaps": How(
        "Gaps between openers",
        "Minutes between opening sends of one line next to each other in time, from the start to the end of the burst. The title's "
        "figure is the median of all these gaps together. The call reads the burst listed first.",
        'import analysis as lh; lh.openers(line="{line}", since="{since:%Y-%m-%dT%H:%M:%S}", until="{until:%Y-%m-%dT%H:%M:%S}")',
    ),
    "calendar": How(
        "Openers by day and hour",
        "Chats whose first message ever seen is a send, at that message, over all lines; a chat known to be older is not new. In a "
        "line's first 7 days in the data older chats may look new. Answered: an inbound message in that chat within the reply window, "
        "of those old enough to have had one.",
        ALL_HOURS,
    ),
    "every_burst": How(
        "Start, length and answers of a burst",
        "A burst lasts over the stretch of hours with the most openers beyond the pace that makes a burst (10 in 24 h, or 3 times the "
        "usual day). Opened in 24 h: the fullest 24 h, which may hold a few more than that stretch. Answered: openers of the stretch "
        "with an inbound message within the reply window, of those old enough; under 30 counts only. Main cause: the cause with the "
        "largest share of that fall, which need not be the burst.",
        ALL_HOURS,
    ),
    "gate": How(
        "What a line may still send",
        "Flagged and critical lines pause. A line at risk, or of unknown health, opens nothing and keeps to half of its usual day of sends. "
        "On a healthy line the new conversations left are the least of: 50 a day (other vendors), 1.5 times its busiest usual day (10 where "
        "it has none), and the most that keep its chance of turning worse within 24 h under 15 %, less those opened today. All of these "
        "are settings. Busiest usual day: the 98th percentile of any 24 h over its healthy hours of 28 days. Today: the day of the store's zone.",
        "linehealth gate --json",
    ),
    "forecast": How(
        "Chance of turning worse",
        "A logistic regression over what was known at the end of the latest hour: 24 h counts against the line's own healthy 28 days, replies "
        "whose window has passed, chat health, and the line's record. It learns from this fleet's own changes of the last 120 days, once a day, "
        "drawn to a prior from made-up fleets. In brackets: 80 %, by how sure the weights are.",
        "linehealth forecast --json",
    ),
    "helped": How(
        "Whether an action helped",
        "Measured are replies (of settled sends), failures, chats at risk or critical, unanswered follow-ups and new conversations, in the whole "
        "days after the action (at most 7, up to the next action) and on the same weekdays of the week before. The effect is the change beyond what "
        "came without an action: on at least 5 other healthy lines of similar volume, else in the line's own earlier weeks; where the line was in "
        "trouble, in spells that were equally far from their usual. Weeks far from their usual come back by themselves, so the change expected is "
        "fitted to that distance. Intervals: 98 %, days drawn again and comparisons drawn again. It helped: one interval lies on the good side and none "
        "on the bad. It did not: one lies on the bad side, or a gain of 5 points of replies can be ruled out. Else it can't be told. Slow-downs that "
        "nobody recorded are looked for in the 14 days after a fall: sends or openers step down by a third or more, for 3 days or more.",
        "linehealth helped --json",
    ),
    "effects": How(
        "Effects on replies",
        "As in the verdicts: the change in the share of settled sends answered, beyond that of the comparison, with its 98 % interval.",
        "linehealth helped --json",
    ),
    "spread": How(
        "Patterns that moved on",
        "After a line fell or slowed down, its new conversations of a week fell to two thirds or less, while those of another line rose by half and by 10 "
        "or more; at least 3 of the second line's new recipients had a chat on the first before. Where no recipient is known: the busiest days of both are "
        "alike. Left out where more than 5 in 100 pairs of lines and weeks of this fleet show as much.",
        "linehealth spread --json",
    ),
    "plan": How(
        "Placing new recipients",
        "Whole numbers by line and day that place most and, among those, add least to the chance of turning worse in this model (a mixed "
        "integer program, HiGHS). Today: what the gate leaves. Later days: the line's own cap, on a young line growing by half a day. "
        "Risk: the chance within 24 h with that many more openers, less that without, summed. The call computes the plan; the query shows "
        "what it starts from: what each healthy line may open today.",
        "linehealth plan --new {new} --days {days} --json",
    ),
    "levels": How(
        "From which level on lines fall twice as often",
        "Every 6 h of the last 120 days in which a line was healthy: the most of a behaviour in any 24 h that ended at most 24 h (or 72 h) before, "
        "and whether the line fell in the next 6 h; each fall counts once. The level is the one that divides falls most clearly, with at least twice "
        "as many a line-day above it. Its interval (95 %): the same on 400 fleets drawn from the lines. It is told where lines that did not choose it "
        "show it too, and where moving each line's falls along its own time shows as much in at most 1 of 80 tries. It goes with another behaviour where it "
        "does not show among days alike in that one. Few replies: at most half of the messages received that are usual for so many sends. "
        "Under 10 falls: not enough data.",
        "import analysis as lh; lh.thresholds()",
    ),
    "times": How(
        "How long things take",
        "Onset to fall: median and quartiles by main cause, of falls with a dated onset. To healthy: Kaplan and Meier's median and curve with their "
        "95 % interval, a line that still waits counted as long as it waits; from a fall into the state, and from when the main cause's signal was "
        "first back within its usual (replies and failures within a standard deviation, openers and sends within 1.5 times, no send after an opt-out "
        "in 3 days, no flag). Fell again: recoveries at least 7 (30) days old followed by a fall within 7 (30) days, with Wilson's 95 % interval. Under 10 "
        "events: counts only.",
        "import analysis as lh; lh.lags()",
    ),
    "replay": How(
        "A rule tried on the past",
        "The rule moves whole conversations (all of a chat's messages by one shift of whole days, never to before their time) or leaves late "
        "follow-ups out with the replies to them. All signals are counted again from these messages, hour by hour, to three days after the last "
        "one moved. The model is the forecast's, learned from nothing later than the begin of the period. Falls expected: the chances of all "
        "hours, each a 24th. Interval: 80 % of 400 draws of the model's weights, the same for both sides, over eight orders in which a day's "
        "conversations may take their turns. The call computes it; the query shows what it starts from: the new conversations by hour.",
        'linehealth replay --line {line} --since "{since}" --until "{until}" {flag} --json',
    ),
    "record": How(
        "How right forecasts have been",
        "Every 6 h of the last 8 weeks is forecast by a model that learned from what came before that week only. Error: mean squared "
        "difference from what came, against that of the rate of the weeks before. An alarm is false where no fall follows within 72 h; a fall is "
        "warned of where an alarm stood 6 to 72 h before it. The chance to warn from is the one that warns of most at one false alarm a line and month. The file holds what "
        "was told and what came, by tenths of the forecasts.",
        "import analysis as lh; lh.forecast_record()",
    ),
    "alerts": How(
        "Alerts",
        "Likely: the chance of turning worse within 24 h is at or over the level. Told again only where the main driver is another, the chance fell "
        "under half of the level in between, or alert_again_hours passed. Turned worse: once a change. One message a kind and main driver. How "
        "right: this rule (without the drivers) on forecasts of every 6 h of the last 8 weeks, each from what came before its week only. An alert is false "
        "where no fall follows within 72 h; a fall is told of where an alert came 6 to 72 h before it. The other levels have half, twice and four "
        "times the odds of the one in force. Under 10 falls: too few to say. The file holds the table; `linehealth alerts` prints what is due.",
        "import analysis as lh; lh.alert_record()",
    ),
    "opened": How(
        "Who opened the chats",
        "By the first message ever seen in a chat. Known from another line: the line wrote first to a person who had a chat on another "
        "of your lines before, as after the vendor's failover. Began before the data: created more than a day before its first message "
        "here, or first seen in the line's first 7 days in the data. Answered: sends with an answer in the same chat within the reply "
        "window, of those old enough to have had one; under 30 counts only.",
        "import analysis as lh; lh.deliveries()",
    ),
    "streaks": How(
        "Turns in a row without an answer",
        "Turns (sends less than 5 minutes apart are one) since the person last wrote, or since the chat began, in chats with a message in "
        "the last 7 days; failed sends count. Limits: Linq's help centre says to remove after 2–3 unanswered messages; messages.dev "
        "allows at most 5 to a person, as an older copy of Sendblue's limits did. They speak of messages, these are turns.",
        "import analysis as lh; lh.streaks()",
    ),
    "streak_chats": How(
        "The longest streaks",
        "Active chats with the most turns in a row without an answer, those sent to last first. Last heard: the person's last message. The "
        "file holds up to 50.",
        "import analysis as lh; lh.chat_states(active=True, least_unanswered=3, most=50)",
    ),
    "services": How(
        "How the sends travelled",
        "Sends by the service that the vendor told for each, of those with one; failed sends count. Lines with fewer than 30 such sends in "
        "either period are left out of the table. Bold: at least 2 points and more than two standard errors, each send counted by "
        "itself. That a fall is an early sign is a working assumption; nobody has published it.",
        "import analysis as lh; lh.deliveries()",
    ),
    "failed": How(
        "What failed",
        "Sends with a failure and neither a delivery nor a read time: a delivery after a failure wins, and stands under delivered after "
        "all. A failure counts on the day of its send. Meanings of codes: the vendor's documentation and SDK; it publishes no text for "
        "4002, 4006, 4007 and 4008.",
        "import analysis as lh; lh.deliveries()",
    ),
    "timeline": How(
        "What happened in a chat",
        "Every event of the chat's last 500 messages in the store; no text and no person is kept. A grey band: turns since the person last "
        "wrote, from two on. Failed: a failure was told; a delivery after it wins. Chat health is known only from the vendor's message events.",
        "import analysis as lh; lh.chat_messages(line={line!r}, chat_id={chat_id!r})",
    ),
    "messages": How(
        "Messages of a chat",
        "Every message of the chat in the store, by id; no text and no person is kept. In a row: turns (sends less than 5 minutes apart are "
        "one) since the person last wrote.",
        "import analysis as lh; lh.chat_messages(line={line!r}, chat_id={chat_id!r})",
    ),
    "chat_health": How(
        "Health of a chat",
        "As the vendor's message events told it; the table leaves out reports that told the same as the one before.",
        "import analysis as lh; lh.chat_health(chat_id={chat_id!r})",
    ),
    "chats_on": How(
        "Chats of a day",
        "Chats with a message on that calendar day: what was sent, received and failed then. Opened by, unanswered in a row and health are "
        "how the chat stands at the newest data.",
        "import analysis as lh, datetime as dt; lh.chats_on(line={line!r}, day=dt.date({day:%Y, %-m, %-d}))",
    ),
}
