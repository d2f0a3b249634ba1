-- schema version 3: from when to when a file tells, and how many of its events were told late (null: loaded by an older version)
alter table source add column first_at timestamp_ms;
alter table source add column last_at timestamp_ms;
alter table source add column timed bigint;
alter table source add column late_1h bigint;
alter table source add column late_24h bigint;
comment on column source.first_at is 'Earliest event of the file that could be used. UTC.';
comment on column source.last_at is 'Latest event of the file that could be used. UTC.';
comment on column source.timed is 'Message events that say both when it happened and when the event was made; only webhook deliveries with their envelope do.';
comment on column source.late_1h is 'Of these, made more than an hour after it happened.';
comment on column source.late_24h is 'Of these, made more than 24 hours after it happened.';
