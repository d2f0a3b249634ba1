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
_ACTIONS = """-- the recorded actions; slow-downs are found, and effects computed, by the call above
select action_id, line, acted_at as acted_at_utc, kind as act, label, source as recorded_by from actions order by acted_at, line nulls first, kind"""
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
  select u.* from usual u join line_totals f using (line)
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
_SOURCE = "select path as file, kind as file_kind, read, inserted, merged, duplicates, ignored, quarantined, first_at as first_event_utc, last_at as last_event_utc, timed, late_1h, late_24h"


def _sides(*counts: str) -> str:
    """Return sums of counts of deliveries in the period and in the one before it."""
    names = {"mature": "counted", "replied": "answered"}
    return ",\n  ".join(
        f"coalesce(sum({c}) filter (day {test} {{start}}), 0) as {names.get(c, c)}_{side}"
        for c in counts
        for side, test in (("now", ">="), ("before", "<"))
    )


_SIDES = _sides("sends", "failed", "delivered", "failed_then_delivered", "mature", "replied")
_IN_BOTH = "from deliveries where day >= {before} and day <= {end}"
_IN_CHAT = "line = {line} and chat_id = {chat_id}"

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
from spell left join line_totals using (line)
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
    "failures": """select hour as hour_utc, failure_code, failed from failures_by_hour
where line = {line} and hour >= date_trunc('hour', {start}) and hour < {end} order by all""",
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
opener as (
  select b.line, b.start_at, o.sent_at, o.chat_id from burst b join openers o on o.line = b.line and o.sent_at >= b.start_at and o.sent_at < b.end_at
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
    # ------------------------------------------------------------------ Ahead
    "gate": """select * exclude (gate_at, risk_by_new), gate_at as as_of_utc
from gate where true{filters} order by line""",
    "forecast": "select * exclude (forecast_at), forecast_at as as_of_utc from forecast order by line",
    "helped": _ACTIONS,
    "effects": _ACTIONS,
    "spread": """-- new conversations by line and week, from which the call above tells who took over from whom
select line, date_trunc('week', day) as week, sum(new_conversations) as new_conversations from signals_day group by all order by all""",
    "plan": """-- what the plan starts from; the plan itself is computed by the call above
select line, new_recipients_left_today, usual_new, bound, risk_by_new
from gate where health = 'HEALTHY' and decision <> 'pause' and bound <> 'stale' order by line""",
    "levels": """select r->>'behaviour' as behaviour, r->>'line_group' as line_group, (r->>'group_low')::double as group_low,
  (r->>'group_high')::double as group_high, (r->>'lines')::bigint as lines_in_group, r->>'answer' as answer,
  r->>'goes_with' as goes_with, r->>'days_with' as days_with, (r->>'within_hours')::bigint as within_hours,
  (r->>'level')::double as level, (r->>'level_low')::double as level_low, (r->>'level_high')::double as level_high,
  (r->>'times')::double as times_as_often, (r->>'held_out')::double as held_out,
  (r->>'held_out_low')::double as held_out_low, (r->>'held_out_high')::double as held_out_high,
  (r->>'p_chance')::double as p_chance, (r->>'line_days')::double as line_days_seen, (r->>'falls')::bigint as falls_seen,
  (r->>'line_days_above')::double as line_days_above, (r->>'falls_above')::bigint as falls_above,
  (r->>'line_days_few_replies')::double as line_days_few_replies, (r->>'falls_few_replies')::bigint as falls_few_replies,
  r->>'sentence' as sentence
from meta, unnest(cast(value as json[])) as rows(r) where key = 'thresholds'""",
    "times": """with kept as (select cast(value as json) as document from meta where key = 'lags')
select 'hours from onset to fall' as measured, r->>'driver' as measured_for, (r->>'falls')::bigint as cases, (r->>'dated')::bigint as events,
  (r->>'hours')::double as middle, (r->>'hours_low')::double as middle_low, (r->>'hours_high')::double as middle_high
from kept, unnest(cast(document->'onset' as json[])) as rows(r)
union all
select 'days from fall to healthy', r->>'state', (r->>'falls')::bigint, (r->>'recovered')::bigint,
  (r->>'days')::double, (r->>'days_low')::double, (r->>'days_high')::double
from kept, unnest(cast(document->'recovery' as json[])) as rows(r)
union all
select 'days from cause back in its usual to healthy', 'all', (r->>'falls')::bigint, (r->>'recovered')::bigint,
  (r->>'days')::double, (r->>'days_low')::double, (r->>'days_high')::double
from (select document->'after_slowing' as r from kept)
union all
select 'share that fell again', 'within ' || (r->>'days') || ' days', (r->>'recoveries')::bigint, (r->>'relapsed')::bigint,
  (r->>'rate')::double, (r->>'low')::double, (r->>'high')::double
from kept, unnest(cast(document->'relapse' as json[])) as rows(r)""",
    "replay": """-- what the rule starts from; what it does is computed by the call above
select line, hour as hour_utc, new_conversations, outbound, unanswered_turns
from signals_hour where line = {line} and hour >= {since} and hour < {until} order by hour""",
    "record": """with horizon as (
  select unnest(['24', '72']) as hours, cast(value as json) as document from meta where key = 'ahead'
)
select hours::bigint as horizon_hours, (r->>'told')::double as told, (r->>'came')::double as came, (r->>'n')::bigint as forecasts
from horizon, unnest(cast(document->'record'->'horizons'->hours->'reliability' as json[])) as rows(r)""",
    "alerts": """select (r->>'level')::double as alert_level, (r->>'in_force')::boolean as in_force, (r->>'alerts')::bigint as alerts,
  (r->>'right')::bigint as alerts_right, (r->>'false')::bigint as alerts_false, (r->>'false_a_month')::double as false_a_line_month,
  (r->>'worsenings')::bigint as falls_tried, (r->>'told')::bigint as falls_told, (r->>'lead_hours')::double as told_hours_ahead
from meta, unnest(cast(cast(value as json)->'record'->'alerts' as json[])) as rows(r) where key = 'ahead'""",
    # ------------------------------------------------------------------ Data
    "deliveries": """select line, start_at as start_utc, end_at as end_utc, expected, by_chance_a_year
from gap order by line nulls first, start_at""",
    "fresh": """with known as (select line from signals_day union select line from spell union select line from chat),
told as (select line, last_at as last_message_utc, last_event_at as last_event_utc from line_totals),
report as (select line, max(changed_at) as last_report_utc from change group by line),
silent as (
  select line, last_message_utc, last_event_utc, last_report_utc, epoch_ms({as_of} - last_event_utc) / 3600000 as line_silent_hours
  from known left join told using (line) left join report using (line)
)
select *, case
  when last_event_utc is null then 'never'
  when line_silent_hours > 24 * {longest_days} then 'unused'
  when exists (select 1 from gap g where g.end_at is null and coalesce(g.line, silent.line) = silent.line) then 'gap'
end as silence
from silent order by line_silent_hours desc nulls last""",
    "refused": """select coalesce(path, source_id) as file, position, q.kind as row_kind, reason as refused_because, fix, q.loaded_at as loaded_utc
from quarantine q left join source using (source_id) order by file, position, ordinal""",
    "late": _SOURCE + "\nfrom source order by loaded_at desc, path",
    "sources": _SOURCE
    + """, ignored_kinds,
  array_to_string(from_json(notes, '["varchar"]'), '; ') as notes, loaded_at as loaded_utc
from source order by loaded_at desc, path""",
    "receipts": """select line, sends, failed, received as with_receipt, received_1h as delivered_1h_late, received_24h as delivered_24h_late
from line_totals where sends > 0 order by line""",
    "settings": "select key as setting, value from setting order by key",
    # ------------------------------------------------------------------ Delivery and audience
    "failed": f"select line, failure_code,\n  {_SIDES}\n{_IN_BOTH} and failure_code is not null\ngroup by line, failure_code order by all",
    "services": f"select line, service,\n  {_SIDES}\n{_IN_BOTH}\ngroup by line, service order by all",
    "opened": f"""with sent as (
  select opened_by,
  {_SIDES}
  {_IN_BOTH} group by opened_by
),
seen as (
  select opened_by, count(*) filter (first_at >= {{start_at}}) as chats_now, count(*) filter (first_at < {{start_at}}) as chats_before
  from chat_states where first_at >= {{before_at}} and first_at < {{end_at}} group by opened_by
)
select opened_by, coalesce(columns(* exclude opened_by), 0) from sent full join seen using (opened_by) order by opened_by""",
    "streaks": """select line, unanswered, count(*) as chats
from chat_states where greatest(last_sent_at, last_received_at) > {active_since} group by line, unanswered order by line, unanswered""",
    "streak_chats": """select line, chat_id, opened_by, first_at as first_message_utc, last_sent_at as last_sent_utc, last_received_at as last_received_utc,
  sends, received, failed, mature as counted, replied as answered, unanswered, health as chat_health, health_at as chat_health_since_utc
from chat_states where greatest(last_sent_at, last_received_at) > {active_since} and unanswered >= {late}
order by unanswered desc, last_sent_at desc, line, chat_id limit {most}""",
    # ------------------------------------------------------------------ Chats
    "timeline": f"""with told as (
  select * from messages where {_IN_CHAT} order by sent_at desc, direction, message_id desc limit {{most}}
)
select message_id, if(direction = 'outbound', 'Sent', 'Received') as event, sent_at as event_utc, null as failure_code from told
union all select message_id, 'Delivered', delivered_at, null from told where direction = 'outbound' and delivered_at is not null
union all select message_id, 'Read', read_at, null from told where direction = 'outbound' and read_at is not null
union all select message_id, 'Failed', failed_at, failure_code from told where direction = 'outbound' and failed_at is not null
order by event_utc""",
    "messages": f"""with told as (
  select *, row_number() over (order by sent_at, direction desc, message_id) as place from messages where {_IN_CHAT}
),
turn as (  -- sends close together, with no inbound between, are one turn; a silence begins with each inbound
  select *, direction = 'outbound' and coalesce(
      lag(direction) over w = 'inbound' or sent_at - lag(sent_at) over w > to_milliseconds({{turn_gap_ms}}), true
    ) as begins, sum((direction = 'inbound')::int) over w as silence
  from told window w as (order by place)
)
select message_id, line, chat_id, direction, sent_at as sent_utc, delivered_at as delivered_utc, read_at as read_utc, failed_at as failed_utc,
  case when direction = 'inbound' then 'Received' when failed then 'Failed' when failed_at is not null then 'Failed, then delivered'
    when read_at is not null then 'Read' when delivered_at is not null then 'Delivered' else 'Sent' end as outcome,
  failure_code, service, sum(begins::int) over (partition by silence order by place) as unanswered
from turn order by place desc""",
    "chat_health": "select chat_id, known_at as known_utc, health as chat_health from chat_health where chat_id = {chat_id} order by known_at",
    "chats_on": """with told as (
  select chat_id, count(*) filter (direction = 'outbound') as sends, count(*) filter (direction = 'inbound') as received,
    count(*) filter (failed) as failed, min(sent_at) as first_that_day_utc, max(sent_at) as last_that_day_utc
  from messages where line = {line} and sent_at >= {since} and sent_at < {until} group by chat_id
)
select chat_id, t.sends, t.received, t.failed, first_that_day_utc, last_that_day_utc, opened_by, first_at >= {since} as is_new, unanswered,
  health as chat_health
from told t left join (select * from chat_states where line = {line}) using (chat_id) order by t.sends desc, t.received desc, chat_id""",
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
