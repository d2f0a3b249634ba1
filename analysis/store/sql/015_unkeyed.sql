-- schema version 15: openers and slots of activity without an index: each row is made once, and who reads them reads many
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
