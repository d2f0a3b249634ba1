-- schema version 11: people who asked to be forgotten, as keyed names, so that no later load brings them back
create table forgotten (
  kind varchar not null check (kind in ('recipient', 'chat', 'message')),
  name varchar not null,
  primary key (kind, name)
);
comment on table forgotten is 'Keyed names of recipients, chats and messages that `linehealth forget` took out: facts of them are left out of every load. Nobody without the key can tell whom a name stands for.';
