-- schema version 12: what explanations were measured by, so that a refresh measures only what is new
create table quiet_time (
  line varchar not null,
  day date not null,
  effects double[] not null,
  primary key (line, day)
);
comment on table quiet_time is 'What each driver shows at noon (UTC) of days far from any trouble: what is ordinary on a line and in the fleet (METHOD.md, Shares).';
comment on column quiet_time.effects is 'effects of the seven drivers that have a size, then their amounts';

create table lesson (
  line varchar not null,
  changed_at timestamp_ms not null,
  kind varchar not null,
  effects double[] not null,
  unexplained double not null,
  primary key (line, changed_at, kind)
);
comment on table lesson is 'What worsenings with enough data teach about later ones: how much each driver weighs on this fleet, and when many came without a cause. UTC.';
comment on column lesson.effects is 'effects of the seven drivers that have a size, then their amounts';
comment on column lesson.unexplained is 'the share left unexplained';

insert or replace into meta values ('touched', '{"whole": true}');
