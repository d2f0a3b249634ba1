-- schema version 14: since when a line was compared with the others, so that an explanation can be told again without its line's messages
alter table explanation add column compared_from timestamp_ms;
comment on column explanation.compared_from is 'since when the line is compared with the others, null where it is not. UTC.';

insert or replace into meta values ('touched', '{"whole": true}');
