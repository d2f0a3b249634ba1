-- schema version 5: marts of single chats and of what became of the sends, so that no page scans messages; refresh fills them
create table chat_state (
  line varchar not null,
  chat_id varchar not null,
  opened_by varchar not null check (opened_by in ('line', 'moved', 'person', 'before')),
  first_at timestamp_ms not null,
  last_sent_at timestamp_ms,
  last_received_at timestamp_ms,
  sends bigint not null,
  received bigint not null,
  failed bigint not null,
  mature bigint not null,
  replied bigint not null,
  unanswered bigint not null,
  health varchar,
  health_at timestamp_ms,
  check (replied <= mature and mature <= sends and failed <= sends and unanswered <= sends)
);
comment on table chat_state is 'How each chat with a message stands at the end of the data, key (line, chat_id); definitions in METHOD.md. UTC.';
comment on column chat_state.opened_by is 'line: its first message ever is ours; moved: the same, to a person who had a chat on another line before; person: theirs; before: it may be older than the data';
comment on column chat_state.first_at is 'its first message in the data';
comment on column chat_state.last_sent_at is 'the line''s last send; null where there is none';
comment on column chat_state.last_received_at is 'the person''s last message; null where there is none';
comment on column chat_state.mature is 'sends, not failed, old enough to have been answered';
comment on column chat_state.replied is 'mature sends answered within the reply window';
comment on column chat_state.unanswered is 'turns in a row since the person last wrote, or since the chat began';
comment on column chat_state.health is 'the chat''s latest known health; null while unknown';
comment on column chat_state.health_at is 'since when it is known to be so, as the vendor told it';
create view chat_states as select * from chat_state;
comment on view chat_states is 'One row a chat: who opened it, when each side last wrote, unanswered turns in a row, health.';

create table delivery_day (
  line varchar not null,
  day date not null,
  opened_by varchar not null,
  service varchar,
  failure_code varchar,
  sends bigint not null,
  failed bigint not null,
  delivered bigint not null,
  failed_then_delivered bigint not null,
  mature bigint not null,
  replied bigint not null,
  check (failed + delivered <= sends and failed_then_delivered <= delivered and replied <= mature and mature <= sends)
);
comment on table delivery_day is 'What became of the sends, key (line, day, opened_by, service, failure_code); definitions in METHOD.md.';
comment on column delivery_day.day is 'calendar day in the store''s zone';
comment on column delivery_day.opened_by is 'who opened the chat sent to, as in chat_state';
comment on column delivery_day.service is 'iMessage, RCS, SMS or other; null where no event told it';
comment on column delivery_day.failure_code is 'the vendor''s code; null where no failure was told, "no code" where one came without';
comment on column delivery_day.failed is 'sends with a failure and neither delivered nor read';
comment on column delivery_day.delivered is 'sends delivered or read';
comment on column delivery_day.failed_then_delivered is 'of these, sends that a failure was told of too: the delivery wins';
create view deliveries as select * from delivery_day;
comment on view deliveries is 'Sends by line, day, who opened the chat, service and failure code, with what became of them.';
