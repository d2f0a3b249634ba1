-- schema version 8: alerts whose delivery the sender confirmed, so that none is repeated while nothing is new
create table alert (
  line varchar not null,
  kind varchar not null check (kind in ('likely', 'changed', 'recovered')),
  alerted_at timestamp_ms not null,
  main_driver varchar not null,
  p_worse_24h double,
  changed varchar check (changed in ('health', 'status')),
  changed_at timestamp_ms,
  told_in varchar not null,
  calm_at timestamp_ms,
  check ((kind = 'likely') = (changed is null) and (changed is null) = (changed_at is null))
);
comment on table alert is 'Alerts that were delivered (METHOD.md, Alerts); never a recipient. UTC.';
comment on column alert.p_worse_24h is 'the chance told, of kind likely';
comment on column alert.changed_at is 'the change told, of the other kinds';
comment on column alert.told_in is 'alerts of one message have the same';
comment on column alert.calm_at is 'when the chance was first seen under half of the level after it: from then on it may be told again';
