-- schema version 15: large tables without an index: it stays in memory while rows are added, and who reads them reads many
create table kept as select * from chat;
drop table chat;
create table chat (
  chat_id varchar not null,
  line varchar not null,
  recipient varchar,
  is_group boolean,
  created_at timestamp_ms,
  first_at timestamp_ms,
  is_owner boolean not null
);
insert into chat select * from kept;
drop table kept;
comment on table chat is 'Which line a chat is on, one row a chat and line. Where two lines claim one chat, the one with more messages owns it (then earlier, then smaller); the other''s rows are set aside.';
comment on column chat.created_at is 'When the vendor says the chat was created. UTC.';
comment on column chat.first_at is 'Earliest time any event told of this chat on this line. UTC.';

create table kept as select * from chat_health;
drop table chat_health;
create table chat_health (
  chat_id varchar not null,
  known_at timestamp_ms not null,
  health varchar not null check (health in ('HEALTHY', 'AT_RISK', 'CRITICAL', 'OPTED_OUT'))
);
insert into chat_health select * from kept;
drop table kept;
comment on table chat_health is 'Chat health as it became known (updated_at of the vendor), each report once. UTC.';

create table kept as select * from activity;
drop table activity;
create table activity (
  line varchar not null,
  slot bigint not null,
  first_at timestamp_ms not null,
  last_at timestamp_ms not null,
  events bigint not null
);
insert into activity select * from kept;
drop table kept;
comment on table activity is 'Five minutes in which an event of a line is known (sends, replies, receipts): what silences are found in. slot counts them since 1970, UTC. One row a line and slot.';

create table kept as select * from opener;
drop table opener;
create table opener (
  line varchar not null,
  chat_id varchar not null,
  sent_at timestamp_ms not null,
  answered boolean
);
insert into opener select * from kept;
drop table kept;
comment on table opener is 'Opening sends of new conversations (METHOD.md, new_conversations), one a chat. UTC.';
comment on column opener.answered is 'answered within the reply window; null: failed, or not old enough to have been';
