-- schema version 7: what people did about their lines, as they recorded it
create table action (
  action_id varchar primary key,
  line varchar,
  acted_at timestamp_ms not null,
  kind varchar not null check (kind in ('pause', 'slower', 'new_copy', 'new_list', 'campaign', 'deploy', 'other')),
  label varchar check (length(label) <= 80),
  source varchar not null check (source in ('hand', 'csv')),
  recorded_at timestamp_ms not null
);
comment on table action is 'Actions, campaigns and deploys that people recorded; unique by (line, acted_at, kind), of which action_id is a short name. UTC.';
comment on column action.line is 'null: the whole fleet';
comment on column action.label is 'A few words that a person typed: never a message, a phone number or an address (METHOD.md, Did it help?).';
create view actions as select action_id, line, acted_at, kind, label, source from action;
comment on view actions is 'What people did about their lines, and when.';
