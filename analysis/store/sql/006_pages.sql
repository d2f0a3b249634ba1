-- schema version 6: what pages show of single messages, so that none scans them: totals by line, openers, failures by hour; refresh fills them
create table line_total (
  line varchar primary key,
  messages bigint not null,
  first_at timestamp_ms not null,
  last_at timestamp_ms not null,
  last_event_at timestamp_ms not null,
  sends bigint not null,
  failed bigint not null,
  received bigint not null,
  received_1h bigint not null,
  received_24h bigint not null
);
comment on table line_total is 'Messages of each line in all, from when to when, and how many sends have a receipt. UTC.';
comment on column line_total.last_event_at is 'newest message, delivery, read or failure';
comment on column line_total.received is 'sends, not failed, with a delivery or read time';
comment on column line_total.received_1h is 'sends delivered more than an hour after they were sent';
comment on column line_total.received_24h is 'sends delivered more than 24 hours after they were sent';
create view line_totals as select * from line_total;
comment on view line_totals is 'Messages of each line in all.';

create table opener (
  line varchar not null,
  chat_id varchar not null,
  sent_at timestamp_ms not null,
  answered boolean,
  primary key (line, chat_id)
);
comment on table opener is 'Opening sends of new conversations (METHOD.md, new_conversations), one a chat. UTC.';
comment on column opener.answered is 'answered within the reply window; null: failed, or not old enough to have been';
create view openers as select * from opener;
comment on view openers is 'Opening sends of new conversations.';

create table failure_hour (
  line varchar not null,
  hour timestamp_ms not null,
  failure_code varchar not null,
  failed bigint not null,
  primary key (line, hour, failure_code)
);
comment on table failure_hour is 'Failed sends by line, hour and code; a delivery after a failure wins. UTC.';
create view failures_by_hour as select * from failure_hour;
comment on view failures_by_hour is 'Failed sends by line, hour and code.';

create table progress (
  line varchar not null, changed_at timestamp_ms not null, kind varchar not null, document varchar not null,
  primary key (line, changed_at, kind)
);
comment on table progress is 'For each worsening: the steps of its playbook with what the data since shows of each, JSON (linehealth progress). UTC.';
