-- The columns of day.sql for ClickHouse, over coded (talk, line_no, at_ms, outbound, failed, pos), coded_chat and coded_health. {as_of}: latest event, ms.
create table judged engine = Memory as
with seen as (
  select *, intDiv(at_ms, 86400000) as day,
    minIf(at_ms, not outbound) over (partition by talk order by at_ms desc, outbound desc rows between unbounded preceding and current row) as next_in,
    row_number() over w = 1 as first, lagInFrame(at_ms) over w as before_ms, lagInFrame(outbound) over w as before_out
  from coded window w as (partition by talk order by pos rows between unbounded preceding and unbounded following)
),
begun as (select *, outbound and (first or not before_out or at_ms - before_ms > 300000) as begins from seen),
numbered as (
  select *, sum(begins) over (partition by talk order by pos rows between unbounded preceding and current row) as turn from begun
),
silence as (
  select *, maxIf(turn, not outbound) over (partition by talk order by pos rows between unbounded preceding and current row) as turn_before from numbered
)
select s.talk as talk, line_no, at_ms, day, outbound, failed,
  outbound and not failed and at_ms <= {as_of} - 86400000 as mature,
  mature and next_in > 0 and next_in <= at_ms + 86400000 as replied,
  first and outbound and not (c.created_ms > 0 and c.created_ms < at_ms - 86400000) as opener,
  begins and turn - turn_before >= 3 as late_turn
from silence s left join coded_chat c on c.talk = s.talk;

create table sends engine = Memory as
select talk, line_no, at_ms, day, opener,
  row_number() over w = 1 or at_ms - lagInFrame(at_ms) over w >= 3600000 as begins_1h,
  row_number() over w = 1 or at_ms - lagInFrame(at_ms) over w >= 86400000 as begins_24h,
  leadInFrame(at_ms, 1, toInt64(9000000000000000)) over w - at_ms as gap_after
from judged where outbound window w as (partition by talk order by at_ms rows between unbounded preceding and unbounded following);

create table days engine = Memory as
with counts as (
  select line_no, day, countIf(outbound) as outbound_, countIf(not outbound) as inbound, countIf(failed) as failed_, countIf(mature) as mature_,
    countIf(replied) as replied_, countIf(opener) as new_conversations, countIf(opener and mature) as new_mature, countIf(opener and replied) as new_replied,
    uniqExactIf(talk, outbound) as recipients, countIf(late_turn) as unanswered_turns
  from judged group by line_no, day
),
stopped as (
  select j.line_no as line_no, j.day as day, count() as sends_after_opt_out
  from (select * from judged where outbound and talk in (select talk from coded_health where health = 'OPTED_OUT')) j
  asof join coded_health h on h.talk = j.talk and j.at_ms >= h.at_ms
  where h.health = 'OPTED_OUT' group by line_no, day
),
hour_peak as (
  select line_no, day, max(present) as peak_recipients_1h from (
    select line_no, day, send, sum(change) over (partition by line_no order by at_ms) as present from (
      select line_no, at_ms, day, true as send, toInt64(begins_1h) as change from sends
      union all select line_no, at_ms + 3600000, 0, false, -1 from sends where gap_after >= 3600000
    )
  ) where send group by line_no, day
),
day_peak as (
  select line_no, day, max(present) as peak_recipients_24h from (
    select line_no, day, send, sum(change) over (partition by line_no order by at_ms) as present from (
      select line_no, at_ms, day, true as send, toInt64(begins_24h) as change from sends
      union all select line_no, at_ms + 86400000, 0, false, -1 from sends where gap_after >= 86400000
    )
  ) where send group by line_no, day
),
minute_peak as (
  select line_no, day, max(n) as peak_sends_60s
  from (select line_no, day, count() over (partition by line_no order by at_ms range between 59999 preceding and current row) as n from sends) group by line_no, day
),
new_peak as (
  select line_no, day, max(h) as peak_new_1h, max(d) as peak_new_24h
  from (
    select line_no, day, count() over (partition by line_no order by at_ms range between 3599999 preceding and current row) as h,
      count() over (partition by line_no order by at_ms range between 86399999 preceding and current row) as d
    from sends where opener
  ) group by line_no, day
),
span as (select line_no, min(day) as first_day, max(day) as last_day from counts group by line_no),
spine as (select line_no, first_day, toInt64(arrayJoin(range(toUInt64(first_day), toUInt64(last_day) + 1))) as day from span),
runs as (
  select talk, line_no, day, least(day + 7, leadInFrame(day, 1, day + 7) over (partition by talk order by day rows between unbounded preceding and unbounded following)) as until
  from (select distinct talk, line_no, day from judged)
),
net as (
  select line_no, day, sum(change) as change from (
    select line_no, day, 1 as change from runs union all select line_no, until, -1 from runs
  ) group by line_no, day
),
active as (
  select line_no, day, sum(c.change) over (partition by s.line_no order by s.day) as chats_active
  from spine s left join net c on c.line_no = s.line_no and c.day = s.day
),
troubled as (
  select line_no, talk, toInt64(arrayJoin(range(toUInt64(day), toUInt64(until)))) as day
  from runs where talk in (select talk from coded_health where health in ('AT_RISK', 'CRITICAL', 'OPTED_OUT'))
),
in_trouble as (
  select line_no, day, countIf(health = 'AT_RISK') as chats_at_risk, countIf(health = 'CRITICAL') as chats_critical, countIf(health = 'OPTED_OUT') as chats_opted_out
  from (select line_no, talk, day, toInt64(day + 1) * 86400000 - 1 as end_ms from troubled) t
  asof join coded_health h on h.talk = t.talk and t.end_ms >= h.at_ms group by line_no, day
)
select toInt64(s.line_no) as line_no, toInt64(s.day) as day, outbound_ as outbound, inbound, failed_ as failed, mature_ as mature, replied_ as replied,
  new_conversations, new_mature, new_replied, s.day - s.first_day as history_days, recipients, peak_recipients_1h, peak_recipients_24h, peak_new_1h,
  peak_new_24h, peak_sends_60s, unanswered_turns, sends_after_opt_out, chats_active, chats_at_risk, chats_critical, chats_opted_out
from spine s left join counts using (line_no, day) left join stopped using (line_no, day) left join hour_peak using (line_no, day)
  left join day_peak using (line_no, day) left join minute_peak using (line_no, day) left join new_peak using (line_no, day)
  left join active using (line_no, day) left join in_trouble using (line_no, day)
order by line_no, day;
