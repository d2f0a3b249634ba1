-- schema version 9: what a refresh needs so that it works on what is new only: when events arrived, and explanations as measured
create table activity (
  line varchar not null,
  slot bigint not null,
  first_at timestamp_ms not null,
  last_at timestamp_ms not null,
  events bigint not null,
  primary key (line, slot)
);
comment on table activity is 'Five minutes in which an event of a line is known (sends, replies, receipts): what silences are found in. slot counts them since 1970, UTC.';

alter table explanation add column measured_p double;
comment on column explanation.measured_p is 'The stated probability before the vendor''s audits corrected it.';

insert or replace into meta values ('touched', '{"whole": true}');
