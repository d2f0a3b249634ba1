-- schema version 4: what is likely next, and what each line may still send today, as of the latest event in the store
create table forecast (
  line varchar primary key,
  forecast_at timestamp_ms not null,
  health varchar,
  status varchar,
  p_worse_24h double,
  p_worse_24h_low double,
  p_worse_24h_high double,
  p_worse_72h double,
  p_worse_72h_low double,
  p_worse_72h_high double,
  note varchar,
  drivers varchar not null,
  check (p_worse_24h is null or p_worse_24h between 0 and 1)
);
comment on table forecast is 'Chance of each line to turn worse after forecast_at, from nothing later (METHOD.md, Ahead). UTC.';
comment on column forecast.p_worse_24h is 'null: not enough history; low and high hold 80 %';
comment on column forecast.drivers is 'what raises it, largest first, JSON';

create table gate (
  line varchar primary key,
  gate_at timestamp_ms not null,
  health varchar,
  status varchar,
  decision varchar not null check (decision in ('send', 'slow', 'pause')),
  new_recipients_left_today bigint not null,
  sends_left_today bigint not null,
  new_left_this_hour bigint not null,
  minutes_between_new double not null,
  new_today bigint not null,
  sends_today bigint not null,
  bound varchar not null,
  p_worse_24h double,
  usual_sends double,
  usual_new double,
  risk_by_new varchar not null,
  why varchar not null
);
comment on table gate is 'Decision per line at gate_at: what it may still send that day (METHOD.md, Ahead). UTC; days of the store''s zone.';
comment on column gate.bound is 'what limits its new conversations: health, risk, own, published, young, stale';
comment on column gate.risk_by_new is 'JSON: chance within 24 h with 0, 1, 2, … more new conversations, in this model';
