-- Every counting column of contract.md, section 3, by line and UTC day, as one query over the coded tables.
-- $as_of: latest event, ms. Days are numbers: ms // 86400000. Peaks: presences begun less presences ended, by a running sum over events.
create or replace temp table judged as
with placed as (
  select talk, line_no, at_ms, outbound, failed, at_ms // 86400000 as day, row_number() over () as pos from coded
),
seen as (
  select *,
    lead(case when not outbound then at_ms end ignore nulls) over (partition by talk order by at_ms, outbound) as next_in,
    lag(at_ms) over w as before_ms, lag(outbound) over w as before_out
  from placed window w as (partition by talk order by pos)
),
begun as (
  select *, outbound and (before_ms is null or not before_out or at_ms - before_ms > 300000) as begins from seen
),
numbered as (
  select *, sum(begins::int) over w as turn, before_ms is null and outbound as first_ours from begun window w as (partition by talk order by pos)
),
silence as (
  select *, coalesce(last_value(case when not outbound then turn end ignore nulls) over (partition by talk order by pos), 0) as turn_before from numbered
)
select s.talk, s.line_no, s.at_ms, s.day, s.outbound, s.failed,
  s.outbound and not s.failed and s.at_ms <= $as_of - 86400000 as mature,
  s.outbound and not s.failed and s.at_ms <= $as_of - 86400000 and coalesce(s.next_in <= s.at_ms + 86400000, false) as replied,
  s.first_ours and not coalesce(c.created_ms < s.at_ms - 86400000, false) as opener,
  s.begins and s.turn - s.turn_before >= 3 as late_turn
from silence s left join coded_chat c on s.first_ours and c.talk = s.talk;

create or replace temp table day_table as
with counts as (
  select line_no, day,
    count(*) filter (where outbound) as outbound, count(*) filter (where not outbound) as inbound, count(*) filter (where failed) as failed,
    count(*) filter (where mature) as mature, count(*) filter (where replied) as replied,
    count(*) filter (where opener) as new_conversations, count(*) filter (where opener and mature) as new_mature,
    count(*) filter (where opener and replied) as new_replied,
    count(distinct talk) filter (where outbound) as recipients,
    count(*) filter (where late_turn) as unanswered_turns
  from judged group by line_no, day
),
stopped as (
  select j.line_no, j.day, count(*) as sends_after_opt_out
  from (select * from judged where outbound and talk in (select talk from coded_health where health = 'OPTED_OUT')) j
  asof join coded_health h on h.talk = j.talk and h.at_ms <= j.at_ms
  where h.health = 'OPTED_OUT' group by j.line_no, j.day
),
sends as (
  select talk, line_no, at_ms, day, opener,
    at_ms - lag(at_ms) over w as gap_before, lead(at_ms) over w - at_ms as gap_after
  from judged where outbound window w as (partition by talk order by at_ms)
),
hour_events as (
  select line_no, at_ms, (gap_before is null or gap_before >= 3600000)::int as change, day from sends
  union all select line_no, at_ms + 3600000, -1, null from sends where gap_after is null or gap_after >= 3600000
),
hour_peak as (
  select line_no, day, max(present) as peak_recipients_1h
  from (select line_no, day, sum(change) over (partition by line_no order by at_ms) as present from hour_events) where day is not null group by line_no, day
),
day_events as (
  select line_no, at_ms, (gap_before is null or gap_before >= 86400000)::int as change, day from sends
  union all select line_no, at_ms + 86400000, -1, null from sends where gap_after is null or gap_after >= 86400000
),
day_peak as (
  select line_no, day, max(present) as peak_recipients_24h
  from (select line_no, day, sum(change) over (partition by line_no order by at_ms) as present from day_events) where day is not null group by line_no, day
),
minute_peak as (
  select line_no, day, max(n) as peak_sends_60s
  from (select line_no, day, count(*) over (partition by line_no order by at_ms range between 59999 preceding and current row) as n from sends) group by line_no, day
),
new_peak as (
  select line_no, day, max(h) as peak_new_1h, max(d) as peak_new_24h
  from (
    select line_no, day, count(*) over (partition by line_no order by at_ms range between 3599999 preceding and current row) as h,
      count(*) over (partition by line_no order by at_ms range between 86399999 preceding and current row) as d
    from sends where opener
  ) group by line_no, day
),
span as (select line_no, min(day) as first_day, max(day) as last_day from counts group by line_no),
spine as (select line_no, first_day, unnest(range(first_day, last_day + 1)) as day from span),
present as (select distinct talk, line_no, day from judged),
runs as (select talk, line_no, day, lead(day) over (partition by talk order by day) as next_day from present),
active_changes as (
  select line_no, day, 1 as change from runs
  union all select line_no, least(coalesce(next_day, day + 7), day + 7), -1 from runs
),
active as (
  select s.line_no, s.day, sum(coalesce(c.change, 0)) over (partition by s.line_no order by s.day)::bigint as chats_active
  from spine s left join (select line_no, day, sum(change) as change from active_changes group by line_no, day) c using (line_no, day)
),
troubled as (
  select r.line_no, r.talk, unnest(range(r.day, least(coalesce(r.next_day, r.day + 7), r.day + 7))) as day
  from runs r where r.talk in (select talk from coded_health where health in ('AT_RISK', 'CRITICAL', 'OPTED_OUT'))
),
in_trouble as (
  select t.line_no, t.day, count(*) filter (where h.health = 'AT_RISK') as chats_at_risk,
    count(*) filter (where h.health = 'CRITICAL') as chats_critical, count(*) filter (where h.health = 'OPTED_OUT') as chats_opted_out
  from troubled t asof join coded_health h on h.talk = t.talk and h.at_ms <= (t.day + 1) * 86400000 - 1
  group by t.line_no, t.day
)
select s.line_no, s.day, outbound, inbound, failed, mature, replied, new_conversations, new_mature, new_replied, s.day - s.first_day as history_days,
  recipients, peak_recipients_1h, peak_recipients_24h, peak_new_1h, peak_new_24h, peak_sends_60s, unanswered_turns, sends_after_opt_out,
  chats_active, chats_at_risk, chats_critical, chats_opted_out
from spine s left join counts using (line_no, day) left join stopped using (line_no, day) left join hour_peak using (line_no, day)
  left join day_peak using (line_no, day) left join minute_peak using (line_no, day) left join new_peak using (line_no, day)
  left join active using (line_no, day) left join in_trouble using (line_no, day)
order by s.line_no, s.day;
