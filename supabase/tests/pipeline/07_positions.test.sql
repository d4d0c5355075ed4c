-- place_deal(): a card is dropped behind another one, in its column or in another.

\ir ../fixtures/people.psql
\ir ../fixtures/deals.psql

select no_plan();

-- Five cards that nobody has placed, of one moment as a sync makes them; the third belongs to somebody else.
insert into pipeline_projects (workspace_id, id, name, created_by)
select w.id, md5(n::text)::uuid, n, pg_temp.person(case n when 'c' then 'ada' else 'mia' end) from w, unnest('{a,b,c,d,e}'::text[]) n;
create function pg_temp.card(name text) returns uuid language sql immutable as $$ select md5(name)::uuid $$;
create function pg_temp.board(stage text default 'lead') returns text language sql as $$
  select string_agg(p.name, '' order by p.board_position nulls last, p.created_at, p.id)
  from pipeline_projects p join w on w.id = p.workspace_id where p.stage_key = stage and p.deleted_at is null
$$;
create function pg_temp.drop_card(who text, card text, behind text, extra text default '') returns text language sql as $$
  select pg_temp.try_as(who, format('select (place_deal(%L, %L %s)).stage_key', pg_temp.card(card), pg_temp.card(behind), extra))
$$;
create temp table was on commit drop as select id, updated_at, row_number() over (order by created_at, id) as place from pipeline_projects p where p.workspace_id = (select id from w);
create function pg_temp.nth(place int) returns text language sql as $$ select name from pipeline_projects join was using (id) where was.place = nth.place $$;
create temp table before on commit drop as select pg_temp.board() as names;

select is(pg_temp.drop_card('mia', pg_temp.nth(5), pg_temp.nth(2)), 'lead', 'the last card is dropped behind the second');
select is(pg_temp.board(), (select pg_temp.nth(1) || pg_temp.nth(2) || pg_temp.nth(5) || pg_temp.nth(3) || pg_temp.nth(4)), 'and stands there');
select is((select count(*) from pipeline_projects join w on w.id = workspace_id where board_position is null), 2::bigint, 'cards behind it keep having no number');
select is((select string_agg(p.name, '') from pipeline_projects p join was using (id) where p.updated_at <> was.updated_at), pg_temp.nth(5), 'no other card counts as edited');
select is((select count(*) from crm_activities where workspace_id = (select id from w) and activity_type <> 'created' and entity_type = 'deal'), 0::bigint, 'a place on the board is no news');

update pipeline_projects set board_position = null where workspace_id = (select id from w);
update pipeline_projects set board_position = ascii(name) where workspace_id = (select id from w);
select is(pg_temp.board(), 'abcde', 'with numbers a column has its order');
select is(pg_temp.try_as('mia', format('select (place_deal(%L)).board_position', pg_temp.card('d'))), '96', 'behind nothing is on top');
select is(pg_temp.board(), 'dabce', 'before the first');
select is(pg_temp.drop_card('mia', 'd', 'e'), 'lead', 'behind the last');
select is((select board_position from pipeline_projects where id = pg_temp.card('d')), 102::float8, 'is one further');
select is(pg_temp.drop_card('mia', 'd', 'a'), 'lead', 'between two');
select is((select board_position from pipeline_projects where id = pg_temp.card('d')), 97.5::float8, 'is in the middle');
select is(pg_temp.drop_card('mia', 'd', 'a'), 'lead', 'behind the card it is behind already');
select is((select board_position from pipeline_projects where id = pg_temp.card('d')), 97.5::float8, 'it stays where it is');

-- e and c take turns in the gap behind a, which halves each time, until the column is numbered anew.
create function pg_temp.crowd(times int) returns text language plpgsql as $$
begin
  for turn in 1..times loop
    perform pg_temp.drop_card('otto', case turn % 2 when 1 then 'e' else 'c' end, 'a');
    if turn > 1 and pg_temp.board() <> (case turn % 2 when 1 then 'aecdb' else 'acedb' end) then
      return format('turn %s: %s', turn, pg_temp.board());
    end if;
  end loop;
  return 'in order';
end $$;
select is(pg_temp.crowd(60), 'in order', 'sixty cards into one gap keep their order');
select cmp_ok((select min(gap) from (select board_position - lag(board_position) over (order by board_position) as gap from pipeline_projects where workspace_id = (select id from w)) g), '>=', 1e-6::float8, 'and there is always room');

update pipeline_projects set board_position = 7 where workspace_id = (select id from w);
create temp table tie on commit drop as select pg_temp.board() as names;
select is(pg_temp.drop_card('mia', substr((select names from tie), 5, 1), substr((select names from tie), 1, 1)), 'lead', 'cards of one and the same number');
select is(pg_temp.board(), (select substr(names, 1, 1) || substr(names, 5, 1) || substr(names, 2, 3) from tie), 'are numbered first');
update pipeline_projects set board_position = 'Infinity' where id = pg_temp.card('b');
select is(pg_temp.drop_card('mia', 'a', 'b'), 'lead', 'behind infinity');
select alike(pg_temp.board(), '%ba', 'there is still a place');
update pipeline_projects set board_position = '-Infinity' where id = pg_temp.card('b');
select is(pg_temp.try_as('mia', format('select (place_deal(%L)).stage_key', pg_temp.card('a'))), 'lead', 'on top of what lies beyond all numbers');
select alike(pg_temp.board(), 'ab%', 'is on top');
update pipeline_projects set board_position = '-Infinity' where id = pg_temp.card('a');
select is(pg_temp.try_as('mia', format('select (place_deal(%L)).stage_key', pg_temp.card('b'))), 'lead', 'whichever of the two');
select alike(pg_temp.board(), 'ba%', 'goes there');

-- Other columns, other people -------------------------------------------------------------------------------------------

select is(pg_temp.try_as('mia', format('select (place_deal(%L, null, null, %L)).probability', pg_temp.card('a'), 'Proposal')), '60', 'a card is dropped into another column, and the probability follows');
select is(pg_temp.drop_card('mia', 'b', 'a', ', stage => ''proposal'''), 'proposal', 'behind a card there');
select is(pg_temp.board('proposal'), 'ab', 'in the order it was dropped');
select is((select count(*) from pipeline_stage_history where pipeline_project_id = pg_temp.card('b')), 2::bigint, 'the move is in the history');
select is(pg_temp.drop_card('mia', 'c', 'a'), 'PC008', 'behind a card of another column is behind none');
select is(pg_temp.drop_card('mia', 'c', 'c'), 'PC008', 'nor behind itself');
select is(pg_temp.drop_card('mia', 'c', 'd', ', stage => ''nonsense'''), 'PC004', 'an unknown stage is none');
select is(pg_temp.drop_card('mia', 'c', 'd', ', expected_updated_at => ''2020-01-01'''), 'PC008', 'who has not seen the last change is told');
update pipeline_projects set board_position = null where workspace_id = (select id from w);
select is(pg_temp.drop_card('max', 'c', 'd'), 'PC002', 'a member does not drop somebody else''s card');
select is(pg_temp.drop_card('vera', 'c', 'd'), 'PC002', 'a viewer drops none');
select is(pg_temp.drop_card('eve', 'c', 'd'), 'PC001', 'a stranger finds none');
select is((select count(*) from pipeline_projects where workspace_id = (select id from w) and board_position is not null), 0::bigint, 'and no column is numbered by them');
select is(array(select pg_temp.try_as(who, format('select private.number_column(%L, %L, %L)', (select id from w), 'lead', pg_temp.card('d'))) from unnest('{vera,eve}'::text[]) who), '{PC002,PC001}', 'also where nothing but the numbering is asked for');
select is(pg_temp.drop_card('otto', 'c', 'd'), 'lead', 'an admin drops any');
update pipeline_projects set deleted_at = now() where id = pg_temp.card('d');
select is(pg_temp.drop_card('mia', 'c', 'd'), 'PC008', 'behind a deleted card is behind none');
select is(pg_temp.drop_card('mia', 'd', 'c'), 'PC001', 'a deleted card is not dropped');

select * from finish();
rollback;
