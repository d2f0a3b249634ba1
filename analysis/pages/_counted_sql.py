"""A card in; the query on the store's tables and views that gives the figures of its download out.

Columns have the names of the download. Words in braces are filled with the values that the page shows; fragments (``filters``,
``bursts``) are conditions or rows made of such values. Times are UTC; `linehealth status` tells where the store is.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

_NOW = """with now as (
  select line, max(state) filter (kind = 'health') as health, max(state) filter (kind = 'status') as status,
    max(start_at) filter (kind = 'health') as health_since_utc
  from spell where end_at is null group by line
),
known as (select line from signals_day union select line from spell union select line from chat)"""
_LINES = (
    _NOW
    + """,
week as (
  select line, sum(replied) as answered, sum(mature) as counted, avg(outbound) as sends_a_day, avg(new_conversations) as new_a_day
  from signals_day where day > {today} - 7 and day <= {today} group by line
),
last_fall as (
  select line, changed_at as last_fall_utc, main_driver as main_cause, headline
  from transitions join explanation using (line, changed_at, kind) where worsening
  qualify row_number() over (partition by line order by changed_at desc, kind desc) = 1
)
select line, health, status, health_since_utc, coalesce(answered, 0) as answered, coalesce(counted, 0) as counted,
  sends_a_day, new_a_day, last_fall_utc, main_cause, headline, new_today, new_recipients_left_today
from known left join now using (line) left join week using (line) left join last_fall using (line)
  left join (select line, new_today, new_recipients_left_today from gate) using (line)"""
)
_OF_CHANGE = "from explanation, unnest(cast(document->'{part}' as json[])) as rows(r)\nwhere line = {{line}} and changed_at = {{at}} and kind = {{kind}}"
_TROUBLES = """with change as (
  select t.line, t.changed_at, t.previous, t.new, e.main_driver
  from transitions t join explanation e using (line, changed_at, kind) where t.kind = 'health'
),
turn as (  -- falls from healthy and returns to it, each with the one after it
  select *, lead(new) over w as next_new, lead(changed_at) over w as next_at from change
  where new = 'HEALTHY' or previous = 'HEALTHY' window w as (partition by line order by changed_at)
)
select line, changed_at as start_utc, next_at as end_utc,
  case when exists (
    select 1 from change c where c.line = turn.line and c.new = 'CRITICAL' and c.changed_at >= turn.changed_at
    and (turn.next_at is null or c.changed_at < turn.next_at)
  ) then 'CRITICAL' else 'AT_RISK' end as worst,
  main_driver as main_cause
from turn where new <> 'HEALTHY' and coalesce(next_new, 'HEALTHY') = 'HEALTHY' and changed_at >= {since}"""
_COMPARED = """with side as (
  select line, min(day) over (partition by line) as first, day, outbound, mature, replied from signals_day
),
summed as (
  select line, greatest(0, {start} - greatest(first, {before})) as days_before, greatest(0, {end} + 1 - greatest(first, {start})) as days_now,
    coalesce(sum(outbound) filter (day >= {before} and day < {start}), 0) as sends_before,
    coalesce(sum(mature) filter (day >= {before} and day < {start}), 0) as counted_before,
    coalesce(sum(replied) filter (day >= {before} and day < {start}), 0) as answered_before,
    coalesce(sum(outbound) filter (day >= {start} and day <= {end}), 0) as sends_now,
    coalesce(sum(mature) filter (day >= {start} and day <= {end}), 0) as counted_now,
    coalesce(sum(replied) filter (day >= {start} and day <= {end}), 0) as answered_now
  from side group by line, first
)
select *, case when counted_before >= 30 and counted_now >= 30 and days_before >= 0.5 * {days}
  then 100 * (answered_now / counted_now - answered_before / counted_before) end as change_points
from summed order by change_points nulls last"""
_BURSTS = """with openers as (
  select line, hour, new_conversations, history_days,
    (history_days >= {young} and coalesce(health, 'HEALTHY') = 'HEALTHY')::int as calm,
    sum(new_conversations) over (partition by line order by hour range between interval 23 hours preceding and current row) as day_sum
  from signals_hour where hour >= {read_from}
),
before as (  -- the 28 days before the last 24 h
  select *, sum(calm) over w as calm_hours, sum(calm * new_conversations) over w as calm_openers from openers
  window w as (partition by line order by hour range between interval 695 hours preceding and interval 24 hours preceding)
),
usual as (
  select *, case when calm_hours >= 168 and 24 * calm_openers / calm_hours >= 0.5 then 24 * calm_openers / calm_hours end as usual_day
  from before
),
above as (
  select u.* from usual u join (select line, min(sent_at) as first_at from messages group by line) f using (line)
  where day_sum >= greatest(10, 3 * coalesce(usual_day, 0))
    and (history_days >= {young} or first_at >= {first_at} + to_days({young})) and hour >= {since} - interval 24 hours
),
run as (
  select *, sum((coalesce(hour - previous > interval 24 hours, true))::int) over (partition by line order by hour) as number
  from (select *, lag(hour) over (partition by line order by hour) as previous from above)
)
select line, max(day_sum) as opened_fullest_24h, first(usual_day order by hour) as usual_day,
  opened_fullest_24h / first(usual_day order by hour) as times_usual, min(hour) as first_hour_above
from run group by line, number order by first_hour_above"""

SQL = {
    # ------------------------------------------------------------------ Fleet
    "tiles": _NOW
    + """,
fall as (select new as tile, count(*) as falls_7d from transitions where worsening and changed_at >= {as_of} - interval 7 days group by new),
line_of as (select health, status from known left join now using (line)),
before as (
  select state as tile, count(distinct line) as week_ago from spell
  where coalesce(start_at <= {as_of} - interval 7 days, true) and coalesce(end_at > {as_of} - interval 7 days, true) group by state
),
replies as (
  select coalesce(sum(replied), 0) as count, coalesce(sum(mature), 0) as "of" from signals_day where day > {today} - 7 and day <= {today}
)
select tile, count(*) filter (case tile when 'FLAGGED' then status else health end = tile) as count, count(*) as "of",
  coalesce(any_value(week_ago), 0) as week_ago, coalesce(any_value(falls_7d), 0) as falls_7d
from (values ('CRITICAL'), ('AT_RISK'), ('FLAGGED'), ('HEALTHY')) as t(tile) cross join line_of
  left join before using (tile) left join fall using (tile) group by tile
union all select 'replies', count, "of", null, null from replies
union all select 'head-room', coalesce(sum(new_today) filter (bound not in ('health', 'stale')), 0) as opened,
  opened + coalesce(sum(new_recipients_left_today), 0), null, null from gate""",
    "needs": _LINES + "\nwhere health in ('AT_RISK', 'CRITICAL') or status = 'FLAGGED' order by line",
    "lines": _LINES + "\norder by line",
    "ribbons": """select line, state, greatest(coalesce(start_at, first_at, {since}), {since}) as start_utc,
  least(coalesce(end_at, {as_of}), {as_of}) as end_utc
from spell left join (select line, min(sent_at) as first_at from messages group by line) using (line)
where kind = 'health' and start_utc < end_utc order by line, start_utc""",
    "causes": """select main_driver, count(*) as falls
from transitions join explanation using (line, changed_at, kind)
where worsening and changed_at >= {since} group by main_driver order by falls desc, main_driver""",
    # ------------------------------------------------------------------ Why
    "first": """select e.line, e.changed_at as changed_at_utc, e.kind, t.previous, t.new, e.onset as onset_utc,
  (document->>'lead_hours')::double as lead_hours, main_driver as main_cause, confidence,
  (document->>'confidence_p')::double as confidence_p, headline
from explanation e join transitions t using (line, changed_at, kind)
where e.line = {line} and e.changed_at = {at} and e.kind = {kind}""",
    "evidence": """select r->>'driver' as driver, (r->>'share')::double as share, (r->>'share_low')::double as share_low,
  (r->>'share_high')::double as share_high, r->>'basis' as basis, r->>'summary' as summary,
  (r->>'$.evidence.observed')::double as observed, (r->>'$.evidence.usual')::double as usual
"""
    + _OF_CHANGE.format(part="drivers"),
    "lanes": """select hour + interval 1 hour as at_utc, health, sum(outbound) over w as outbound, sum(mature) over w as counted,
  sum(replied) over w as answered, sum(new_conversations) over w as new_conversations, sum(failed) over w as failed,
  sum(unanswered_turns) over w as unanswered_turns, sum(sends_after_opt_out) over w as sends_after_opt_out,
  nullif(peak_recipients_24h, 0) as recipients, chats_active, chats_at_risk, chats_critical, chats_opted_out
from signals_hour where line = {line}
window w as (order by hour range between interval 23 hours preceding and current row)
qualify at_utc >= {start} and at_utc <= {end} order by at_utc""",
    "what_if": """select r->>'name' as name, (r->>'sends')::bigint as sends, (r->>'pressure_before')::double as pressure_before,
  (r->>'pressure_after')::double as pressure_after, (r->>'pressure_after_low')::double as pressure_after_low,
  (r->>'pressure_after_high')::double as pressure_after_high
"""
    + _OF_CHANGE.format(part="what_if"),
    "volume": """select day, outbound as sends, replied as answered, mature as counted, reply_rate, health
from signals_day where line = {line} and day >= {start} and day <= {end} and mature > 0 order by day""",
    "burst": """with calm as (
  select extract('hour' from hour) as clock, avg(new_conversations) as mean, count(*) as hours from signals_hour
  where line = {line} and hour >= {began} - interval 28 days and hour < {began} and history_days >= {young} and coalesce(health, 'HEALTHY') = 'HEALTHY'
  group by clock
)
select hour as hour_utc, new_conversations as opened, case when (select sum(hours) from calm) >= 168 then mean end as usual
from signals_hour left join calm on clock = extract('hour' from hour)
where line = {line} and hour >= {start} and hour < {end} order by hour""",
    "failures": """select date_trunc('hour', sent_at) as hour_utc, coalesce(failure_code, 'no code') as failure_code, count(*) as failed
from messages where line = {line} and sent_at >= {start} and sent_at < {end} and failed group by all order by all""",
    "chats": """select r->>'chat_id' as chat_id, r->>'reason' as reason, (r->>'sends')::bigint as sends,
  (r->>'unanswered_turns')::bigint as unanswered_turns, (r->>'silent_hours')::double as silent_hours, r->>'chat_health' as chat_health
"""
    + _OF_CHANGE.format(part="chats_to_fix"),
    "steps": "select r->>'action' as action, r->>'expected_effect' as expected_effect, r->>'driver' as driver\n"
    + _OF_CHANGE.format(part="actions"),
    # ------------------------------------------------------------------ Replies and volume
    "moves": _COMPARED,
    "growth": _COMPARED,
    "replies": _COMPARED,
    "mix": """with sent as (
  select day >= {start} as in_period, sum(new_conversations) as new, sum(unanswered_turns) as late, sum(outbound) as every
  from signals_day where history_days >= {young} and day >= {before} and day <= {end} group by in_period
)
select kind, coalesce(max(n) filter (not in_period), 0) as before, coalesce(max(n) filter (in_period), 0) as now,
  coalesce(max(every) filter (not in_period), 0) as before_of, coalesce(max(every) filter (in_period), 0) as now_of
from (
  select in_period, every, unnest(['new', 'late', 'rest']) as kind, unnest([new, late, every - new - late]) as n from sent
) group by kind""",
    # ------------------------------------------------------------------ New conversations
    "bursts": _BURSTS,
    "every_burst": _BURSTS,
    "burst_gaps": """with burst(line, start_at, end_at) as (values {bursts}),
first as (select line, chat_id, min(sent_at) as sent_at from messages group by line, chat_id),
opener as (  -- chats whose first message is a send, unless the vendor says that they are older
  select distinct b.line, b.start_at, f.sent_at, f.chat_id from burst b
  join first f on f.line = b.line and f.sent_at >= b.start_at and f.sent_at < b.end_at
  join messages m on m.line = f.line and m.chat_id = f.chat_id and m.sent_at = f.sent_at and m.direction = 'outbound'
  left join chats c on c.chat_id = f.chat_id
  where c.created_at is null or c.created_at >= f.sent_at - to_milliseconds({grace_ms})
),
gap as (
  select line, start_at, epoch_ms(sent_at - lag(sent_at) over (partition by line, start_at order by sent_at, chat_id)) / 60000 as minutes from opener
)
select line, start_at as start_utc, count(minutes) as gaps, min(minutes) as smallest_min, median(minutes) as median_min
from gap group by line, start_at having count(minutes) > 0 order by median_min""",
    "calendar": """select line, timezone({zone}, timezone('UTC', hour::timestamp)) as local, local::date as day, extract('hour' from local) as clock,
  sum(new_conversations) as opened, sum(new_mature) as mature, sum(new_replied) as replied
from signals_hour where hour >= {since} group by line, local having sum(new_conversations) > 0 order by line, local""",
    # ------------------------------------------------------------------ Transitions
    "troubles": _TROUBLES + "\norder by start_utc, line",
    "recovery": _TROUBLES + " and next_at is not null\norder by start_utc, line",
    "states": """with part as (
  select line, state, greatest(start_at, {since}) as a, least(coalesce(end_at, {as_of}), {as_of}) as b
  from spell where kind = 'health' and start_at is not null
)
select state, floor(sum(epoch_ms(b - a)) / 1000) / 86400 as line_days, count(distinct line) as lines from part where b > a group by state""",
    "log": """select line, changed_at as changed_at_utc, kind, t.previous, t.new, main_driver, (document->>'$.drivers[0].share')::double as share,
  e.confidence, (document->>'confidence_p')::double as confidence_p, headline
from transitions t join explanation e using (line, changed_at, kind)
where changed_at >= {since}{filters} order by changed_at desc""",
}


class Raw(str):
    """A piece of SQL that goes into a query as it stands; made by pages of values written by `literal`."""

    __slots__ = ()


def literal(value: object) -> str:
    """Return a value as SQL writes it; text is quoted, so that nothing in it can end the quotes."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, datetime):
        return f"timestamp '{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}'"
    if isinstance(value, date):
        return f"date '{value}'"
    if isinstance(value, int | float):
        return str(value)
    quoted = str(value).replace("'", "''")
    return f"'{quoted}'"


def query(card: str, values: dict[str, Any]) -> str:
    """Return a card's query with the values of what is shown."""
    return SQL[card].format(**{name: literal(value) for name, value in values.items()})
