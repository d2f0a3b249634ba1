-- schema version 2: what live operation needs: gaps in the deliveries, how far pull and receiver are, the vendor's audits
create table gap (
  line varchar,
  start_at timestamp_ms not null,
  end_at timestamp_ms,
  expected double not null,
  by_chance_a_year double not null,
  check (end_at is null or end_at > start_at)
);
comment on table gap is 'Silences in which deliveries were probably lost (METHOD.md, Gaps in the deliveries). UTC.';
comment on column gap.line is 'null: the whole fleet was silent';
comment on column gap.end_at is 'null: not over at the latest event in the store';
comment on column gap.expected is 'messages that the rhythm of the line (or fleet) gives for this time';
comment on column gap.by_chance_a_year is 'how many silences of this depth come by themselves in a year on this line';

create table folded (segment varchar primary key);
comment on table folded is 'Files of the spool whose facts are in the store and which may be removed: keeps counts right after a crash.';

create table pull_mark (
  chat_id varchar primary key,
  updated_at timestamp_ms not null,
  pulled_at timestamp_ms not null
);
comment on table pull_mark is 'For each chat: its updated_at when its messages were last pulled, and when that was. UTC.';

create table pull_run (
  started_at timestamp_ms primary key,
  since timestamp_ms,
  finished_at timestamp_ms
);
comment on table pull_run is 'Runs of linehealth pull; one without an end was stopped, and the next one goes on with it. UTC.';

create table audit (
  audit_id varchar primary key,
  line varchar not null,
  requested_at timestamp_ms not null,
  answered_at timestamp_ms,
  status varchar not null check (status in ('pending', 'complete', 'error', 'lost')),
  document varchar
);
comment on table audit is 'The vendor''s reputation audits, kept because it forgets them after 24 hours. UTC.';
comment on column audit.status is 'pending: asked for, no answer yet; lost: the vendor no longer had it';
comment on column audit.document is 'keys, states, counts and times of the answer, JSON, no text; ids of chats that would tell a person are keyed names';

-- facts may come from the receiver and from the API too: the check on kinds is widened (DuckDB has no alter for it)
create table source_v2 (
  source_id varchar primary key,
  path varchar not null,
  kind varchar not null check (kind in ('webhook', 'messages', 'transitions', 'chats', 'receiver', 'pull')),
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
insert into source_v2 select * from source;
drop table source;
alter table source_v2 rename to source;
comment on table source is 'Files loaded, by fingerprint of their content, and days of the receiver and of pull; counts always add up.';
