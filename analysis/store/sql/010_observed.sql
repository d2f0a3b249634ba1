-- schema version 10: health of lines as the API showed it to a pull, and the changes that only such looks tell of
create table observation (
  line varchar not null,
  observed_at timestamp_ms not null,
  health varchar not null check (health in ('HEALTHY', 'AT_RISK', 'CRITICAL')),
  primary key (line, observed_at)
);
comment on table observation is 'Health of a line as the API answered a pull; the API tells no time of change, so the time is that of the answer. UTC.';

create table observed_change (
  line varchar not null,
  changed_at timestamp_ms not null,
  previous_health varchar,
  new_health varchar not null,
  not_before timestamp_ms,
  primary key (line, changed_at)
);
comment on table observed_change is 'Derived: changes of health that no report tells, seen between two looks. A previous value equal to the new one: first look at a line.';
comment on column observed_change.changed_at is 'When it was seen: the latest time at which it can have happened. UTC.';
comment on column observed_change.not_before is 'When the previous health was last known to hold: it changed after that. null: never known before. UTC.';
