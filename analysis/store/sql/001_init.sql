-- schema version 1: facts as merged, derived marts, and the views that people may query
create table meta (key varchar primary key, value varchar not null);
comment on table meta is 'Facts about this store: schema version, snapshot (changes with every write), who wrote it last.';

create table setting (key varchar primary key, value varchar not null);
comment on table setting is 'Settings that differ from their defaults (linehealth settings).';

create table source (
  source_id varchar primary key,
  path varchar not null,
  kind varchar not null check (kind in ('webhook', 'messages', 'transitions', 'chats')),
  read bigint not null,
  inserted bigint not null,
  merged bigint not null,
  duplicates bigint not null,
  ignored bigint not null,
  quarantined bigint not null,
  ignored_kinds varchar not null,
  notes varchar not null,
  loaded_at timestamp_ms not null,
  check (read = inserted + merged + duplicates + ignored + quarantined)
);
comment on table source is 'Files loaded, by fingerprint of their content; counts always add up.';

create table quarantine (
  source_id varchar not null,
  position bigint not null,
  ordinal integer not null,
  kind varchar not null,
  reason varchar not null,
  fix varchar not null,
  loaded_at timestamp_ms not null,
  primary key (source_id, position, ordinal)
);
comment on table quarantine is 'Rows that could not be used: where, why, how to fix. Never a value of the row itself.';
comment on column quarantine.position is 'Line of a text file, row of a Parquet file, from 1; 0 for a conflict found in the store.';

create table message (
  message_id varchar not null,
  line varchar,
  chat_id varchar,
  recipient varchar,
  direction varchar check (direction in ('outbound', 'inbound')),
  sent_at timestamp_ms,
  seen_at timestamp_ms,
  delivered_at timestamp_ms,
  read_at timestamp_ms,
  failed_at timestamp_ms,
  failure_code varchar,
  service varchar check (service in ('iMessage', 'RCS', 'SMS', 'other')),
  is_group boolean,
  fingerprint varchar,
  trace_id varchar
);
comment on table message is 'One row a message, merged field by field from all events that told of it. No content, no plain recipient. Unique by message_id: the loader merges under one lock (an index over tens of millions of ids would cost more memory than the data).';
comment on column message.line is 'The own line as an event told it; null where only the chat tells it.';
comment on column message.recipient is 'Keyed pseudonym of the other side of a 1:1 chat.';
comment on column message.sent_at is 'Earliest sent_at told. UTC, milliseconds.';
comment on column message.seen_at is 'Earliest received or created time told: stands in where sent_at is missing. UTC.';
comment on column message.failed_at is 'Earliest failure told; a delivery wins over it. UTC.';
comment on column message.fingerprint is 'Keyed name of the content hash that the user exported, if any.';
comment on column message.trace_id is 'The vendor''s trace id of a failure, for its support.';

create table chat (
  chat_id varchar not null,
  line varchar not null,
  recipient varchar,
  is_group boolean,
  created_at timestamp_ms,
  first_at timestamp_ms,
  is_owner boolean not null,
  primary key (chat_id, line)
);
comment on table chat is 'Which line a chat is on. Where two lines claim one chat, the one with more messages owns it (then earlier, then smaller); the other''s rows are set aside.';
comment on column chat.created_at is 'When the vendor says the chat was created. UTC.';
comment on column chat.first_at is 'Earliest time any event told of this chat on this line. UTC.';

create table chat_health (
  chat_id varchar not null,
  known_at timestamp_ms not null,
  health varchar not null check (health in ('HEALTHY', 'AT_RISK', 'CRITICAL', 'OPTED_OUT')),
  primary key (chat_id, known_at, health)
);
comment on table chat_health is 'Chat health as it became known (updated_at of the vendor). UTC.';

create table change (
  line varchar not null,
  changed_at timestamp_ms not null,
  previous_health varchar check (previous_health in ('HEALTHY', 'AT_RISK', 'CRITICAL')),
  new_health varchar check (new_health in ('HEALTHY', 'AT_RISK', 'CRITICAL')),
  previous_status varchar check (previous_status in ('ACTIVE', 'FLAGGED')),
  new_status varchar check (new_status in ('ACTIVE', 'FLAGGED')),
  check (new_health is not null or new_status is not null)
);
comment on table change is 'Reported changes of a line''s health or status, unique by (line, changed_at, new_health, new_status).';

create table spell (
  line varchar not null, kind varchar not null, state varchar not null,
  start_at timestamp_ms, end_at timestamp_ms, start_known boolean not null
);
comment on table spell is 'Time in one state: start_at null = since before the first report, end_at null = still. UTC.';

create table transition (
  line varchar not null, changed_at timestamp_ms not null, kind varchar not null, previous varchar, new varchar not null,
  worsening boolean not null, missed_before boolean not null,
  primary key (line, changed_at, kind)
);
comment on table transition is 'Changes to explain, derived from the reports; repeats left out.';

create table explanation (
  line varchar not null, changed_at timestamp_ms not null, kind varchar not null, main_driver varchar not null, headline varchar not null,
  onset timestamp_ms, confidence varchar not null, document varchar not null,
  primary key (line, changed_at, kind)
);
comment on table explanation is 'Why each transition happened; document is the JSON of `linehealth explain`.';

create table signal_day (
  line varchar not null,
  day date not null,
  outbound bigint not null,
  inbound bigint not null,
  failed bigint not null,
  mature bigint not null,
  replied bigint not null,
  reply_rate double,
  new_conversations bigint not null,
  new_mature bigint not null,
  new_replied bigint not null,
  new_reply_rate double,
  history_days bigint not null,
  recipients bigint not null,
  peak_recipients_1h bigint not null,
  peak_recipients_24h bigint not null,
  peak_new_1h bigint not null,
  peak_new_24h bigint not null,
  peak_sends_60s bigint not null,
  unanswered_turns bigint not null,
  sends_after_opt_out bigint not null,
  chats_active bigint not null,
  chats_at_risk bigint not null,
  chats_critical bigint not null,
  chats_opted_out bigint not null,
  health varchar,
  status varchar,
  check (replied <= mature and mature <= outbound and failed <= outbound)
);
comment on table signal_day is 'Signals, one row a line and day, key (line, day); definitions in METHOD.md.';
comment on column signal_day.day is 'calendar day in the store''s zone';
comment on column signal_day.outbound is 'messages sent';
comment on column signal_day.inbound is 'messages received';
comment on column signal_day.failed is 'sends with a failure and neither delivered nor read';
comment on column signal_day.mature is 'sends, not failed, old enough to have been answered (reply window before as_of)';
comment on column signal_day.replied is 'mature sends answered within the reply window';
comment on column signal_day.reply_rate is 'replied / mature; null where mature = 0';
comment on column signal_day.new_conversations is 'chats whose first message ever is ours, on the day of it';
comment on column signal_day.new_mature is 'mature first sends of new conversations';
comment on column signal_day.new_replied is 'answered first sends of new conversations';
comment on column signal_day.new_reply_rate is 'new_replied / new_mature; null where new_mature = 0';
comment on column signal_day.history_days is 'days since the line''s first day with a message; under 7 chats may only look new';
comment on column signal_day.recipients is 'distinct chats sent to';
comment on column signal_day.peak_recipients_1h is 'most distinct chats sent to in any sliding hour';
comment on column signal_day.peak_recipients_24h is 'the same over 24 h';
comment on column signal_day.peak_new_1h is 'most new conversations in any sliding hour';
comment on column signal_day.peak_new_24h is 'the same over 24 h';
comment on column signal_day.peak_sends_60s is 'most sends in any sliding minute';
comment on column signal_day.unanswered_turns is 'turns that are the third or later since the chat''s last inbound';
comment on column signal_day.sends_after_opt_out is 'sends in a chat whose latest known health is OPTED_OUT';
comment on column signal_day.chats_active is 'chats with a message in the 7 days up to the end';
comment on column signal_day.chats_at_risk is 'of these, latest known health AT_RISK';
comment on column signal_day.chats_critical is 'of these, CRITICAL';
comment on column signal_day.chats_opted_out is 'of these, OPTED_OUT';
comment on column signal_day.health is 'the line''s health at the end; null while unknown';
comment on column signal_day.status is 'the line''s status at the end; null while unknown';
create view signals_day as select * from signal_day;
comment on view signals_day is 'The signals of contract and METHOD.md by day.';

create table signal_hour (
  line varchar not null,
  hour timestamp_ms not null,
  outbound bigint not null,
  inbound bigint not null,
  failed bigint not null,
  mature bigint not null,
  replied bigint not null,
  reply_rate double,
  new_conversations bigint not null,
  new_mature bigint not null,
  new_replied bigint not null,
  new_reply_rate double,
  history_days bigint not null,
  recipients bigint not null,
  peak_recipients_1h bigint not null,
  peak_recipients_24h bigint not null,
  peak_new_1h bigint not null,
  peak_new_24h bigint not null,
  peak_sends_60s bigint not null,
  unanswered_turns bigint not null,
  sends_after_opt_out bigint not null,
  chats_active bigint not null,
  chats_at_risk bigint not null,
  chats_critical bigint not null,
  chats_opted_out bigint not null,
  health varchar,
  status varchar,
  check (replied <= mature and mature <= outbound and failed <= outbound)
);
comment on table signal_hour is 'Signals, one row a line and hour, key (line, hour); definitions in METHOD.md.';
comment on column signal_hour.hour is 'instant (UTC) at which the hour begins';
comment on column signal_hour.outbound is 'messages sent';
comment on column signal_hour.inbound is 'messages received';
comment on column signal_hour.failed is 'sends with a failure and neither delivered nor read';
comment on column signal_hour.mature is 'sends, not failed, old enough to have been answered (reply window before as_of)';
comment on column signal_hour.replied is 'mature sends answered within the reply window';
comment on column signal_hour.reply_rate is 'replied / mature; null where mature = 0';
comment on column signal_hour.new_conversations is 'chats whose first message ever is ours, on the day of it';
comment on column signal_hour.new_mature is 'mature first sends of new conversations';
comment on column signal_hour.new_replied is 'answered first sends of new conversations';
comment on column signal_hour.new_reply_rate is 'new_replied / new_mature; null where new_mature = 0';
comment on column signal_hour.history_days is 'days since the line''s first day with a message; under 7 chats may only look new';
comment on column signal_hour.recipients is 'distinct chats sent to';
comment on column signal_hour.peak_recipients_1h is 'most distinct chats sent to in any sliding hour';
comment on column signal_hour.peak_recipients_24h is 'the same over 24 h';
comment on column signal_hour.peak_new_1h is 'most new conversations in any sliding hour';
comment on column signal_hour.peak_new_24h is 'the same over 24 h';
comment on column signal_hour.peak_sends_60s is 'most sends in any sliding minute';
comment on column signal_hour.unanswered_turns is 'turns that are the third or later since the chat''s last inbound';
comment on column signal_hour.sends_after_opt_out is 'sends in a chat whose latest known health is OPTED_OUT';
comment on column signal_hour.chats_active is 'chats with a message in the 7 days up to the end';
comment on column signal_hour.chats_at_risk is 'of these, latest known health AT_RISK';
comment on column signal_hour.chats_critical is 'of these, CRITICAL';
comment on column signal_hour.chats_opted_out is 'of these, OPTED_OUT';
comment on column signal_hour.health is 'the line''s health at the end; null while unknown';
comment on column signal_hour.status is 'the line''s status at the end; null while unknown';
create view signals_hour as select * from signal_hour;
comment on view signals_hour is 'The signals of contract and METHOD.md by hour.';

create view chats as
select chat_id, line, recipient, coalesce(is_group, false) as is_group, created_at from chat where is_owner;
comment on view chats is 'Chats and the line each is on.';

create view messages as
with
-- a chat that an export without chat ids names by its recipient is the vendor's 1:1 chat of the two, where that is known
direct as (
  select line, recipient, min(chat_id) as chat_id from chat where is_owner and recipient is not null and not coalesce(is_group, false) group by line, recipient
),
placed as (
  select
    m.message_id,
    coalesce(c.line, m.line) as line,
    coalesce(m.chat_id, d.chat_id, 'r_' || md5(m.line || '|' || m.recipient)[:20]) as chat_id,
    -- a failure whose send was never seen is a send: only sends fail
    coalesce(m.direction, case when m.failed_at is not null then 'outbound' end) as direction,
    coalesce(m.sent_at, m.seen_at, least(m.delivered_at, m.read_at, m.failed_at)) as sent_at,
    m.delivered_at, m.read_at, m.failed_at, m.failure_code, m.service, m.is_group, m.fingerprint, m.trace_id,
    m.line as told_line
  from message m
  left join chat c on c.chat_id = m.chat_id and c.is_owner
  left join direct d on m.chat_id is null and d.line = m.line and d.recipient = m.recipient
)
select
  message_id, line, chat_id, direction, sent_at,
  direction = 'outbound' and failed_at is not null and delivered_at is null and read_at is null as failed,
  delivered_at, read_at, failed_at, failure_code, service, coalesce(is_group, false) as is_group, fingerprint, trace_id
from placed
where line is not null and direction is not null and sent_at is not null and (told_line is null or told_line = line);
comment on view messages is 'Messages that can be placed: line, chat, direction and time known. sent_at is the earliest told, else received or created time. UTC.';

create view waiting as
select m.message_id, m.chat_id, m.failed_at from message m left join chat c on c.chat_id = m.chat_id and c.is_owner
where coalesce(c.line, m.line) is null or (m.direction is null and m.failed_at is null);
comment on view waiting is 'Events that wait for another one to say their line or direction.';

create view transitions as select * from transition;
comment on view transitions is 'Changes of health or status, worsening or recovering.';
