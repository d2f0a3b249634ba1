-- schema version 13: what all lines tell together, by line and day or hour, so that a refresh reads only the chats with anything new
create table asked_line (
  line varchar not null,
  first_at timestamp_ms not null,
  first_day date
);
comment on table asked_line is 'The first message of each line, for explanations. UTC.';
comment on column asked_line.first_day is 'the day of its first ask (sends that ask for one reply; METHOD.md, Explanations), null where it has none';

create table asked_day (
  line varchar not null,
  day date not null,
  asks integer not null,
  created integer not null,
  created_last timestamp_ms,
  counts integer[] not null,
  delays integer[] not null
);
comment on table asked_day is 'Asks of each line by UTC day, and what pooled rates of the fleet rest on: those outside of unhealthy times (METHOD.md, Explanations). Key line, day.';
comment on column asked_day.created is 'asks that tell of their chat''s creation';
comment on column asked_day.created_last is 'when the last of these went out. UTC.';
comment on column asked_day.counts is 'asks that tell of replies by kind (new, answer, followup, touch), replies by kind, all asks, failed asks';
comment on column asked_day.delays is 'replies by delay';

create table asked_service (
  line varchar not null,
  day date not null,
  service varchar not null,
  asks integer not null,
  receipts integer not null,
  silent integer not null
);
comment on table asked_service is 'The same asks by service. Key line, day, service.';
comment on column asked_service.receipts is 'those with a receipt within the reply window';
comment on column asked_service.silent is 'those without a receipt, a failure or a reply';

create table asked_hour (
  line varchar not null,
  hour timestamp_ms not null,
  asks integer not null,
  answered integer not null
);
comment on table asked_hour is 'Asks of each line that can be answered by the UTC hour of their last send, and those answered within the hours in which lines are compared. Key line, hour.';

create table expected_receipt (
  line varchar not null,
  sent_at timestamp_ms not null,
  silent boolean not null
);
comment on table expected_receipt is 'Sends of which a receipt was to be expected, since their chat had had one by then: what tells that receipts were lost on all lines. UTC.';
comment on column expected_receipt.silent is 'no receipt came in the time in which nearly all come';

create table line_day (
  line varchar not null,
  day date not null,
  messages integer not null,
  first_at timestamp_ms not null,
  last_at timestamp_ms not null,
  last_failed_at timestamp_ms,
  sends integer not null,
  failed integer not null,
  received integer not null,
  received_1h integer not null,
  received_24h integer not null
);
comment on table line_day is 'Messages of each line by UTC day, and how many of the sends have a receipt: what line_total adds up. Key line, day.';
comment on column line_day.received is 'sends, not failed, with a delivery or read time';

insert or replace into meta values ('touched', '{"whole": true}');
