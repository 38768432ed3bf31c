CREATE TABLE "import_totals" (
	"organization_id" uuid NOT NULL,
	"import_id" uuid NOT NULL,
	"stream" text NOT NULL,
	"state" text NOT NULL,
	"incomplete" boolean NOT NULL,
	"basis" text NOT NULL,
	"method" text NOT NULL,
	"streams" bigint NOT NULL,
	"stored" bigint NOT NULL,
	"known" bigint NOT NULL,
	"expected" bigint NOT NULL,
	"quarantined" bigint NOT NULL,
	"gone" bigint NOT NULL,
	"not_permitted" bigint NOT NULL,
	"requests" bigint NOT NULL,
	"missing" bigint NOT NULL,
	"surplus" bigint NOT NULL,
	"level" bigint NOT NULL,
	CONSTRAINT "import_totals_key" PRIMARY KEY("organization_id","import_id","stream","state","incomplete","basis","method")
);
--> statement-breakpoint
CREATE TABLE "repository_health" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"integration_id" uuid,
	"full_name" text NOT NULL,
	"imported" boolean NOT NULL,
	"state" text DEFAULT 'never' NOT NULL,
	"stream_states" text DEFAULT '' NOT NULL,
	"failing_since" timestamptz(6),
	"last_success_at" timestamptz(6),
	"last_attempt_at" timestamptz(6),
	"next_attempt_at" timestamptz(6),
	"looked_at" timestamptz(6),
	CONSTRAINT "repository_health_organization_id_repository_id_pk" PRIMARY KEY("organization_id","repository_id"),
	CONSTRAINT "repository_health_state" CHECK ("repository_health"."state" in ('never', 'processing', 'healthy', 'rate_limited', 'failed', 'unavailable', 'switched_off'))
);
--> statement-breakpoint
DROP INDEX "repositories_of_project";--> statement-breakpoint
DROP INDEX "repositories_of_workspace";--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "settled" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "import_totals" ADD CONSTRAINT "import_totals_import" FOREIGN KEY ("organization_id","import_id") REFERENCES "public"."imports"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "repository_health" ADD CONSTRAINT "repository_health_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "repository_health_page" ON "repository_health" USING btree ("organization_id","integration_id","state","full_name","repository_id");--> statement-breakpoint
CREATE INDEX "repository_health_imported" ON "repository_health" USING btree ("organization_id","integration_id","state","repository_id") WHERE "repository_health"."imported";--> statement-breakpoint
CREATE INDEX "import_repositories_read_elsewhere" ON "import_repositories" USING btree ("organization_id","import_id") WHERE "import_repositories"."read_by" is not null;--> statement-breakpoint
CREATE INDEX "import_streams_live" ON "import_streams" USING btree ("organization_id","import_id") WHERE not "import_streams"."settled";--> statement-breakpoint
CREATE INDEX "pull_requests_by_state" ON "pull_requests" USING btree ("state","organization_id","repository_id","number");--> statement-breakpoint
CREATE INDEX "tickets_by_state" ON "tickets" USING btree ("state","organization_id","repository_id","number");--> statement-breakpoint
CREATE INDEX "events_of_type" ON "events" USING btree ("organization_id","type","xact","id");--> statement-breakpoint
CREATE INDEX "repositories_of_project" ON "repositories" USING btree ("organization_id","project_id","id");--> statement-breakpoint
CREATE INDEX "repositories_of_workspace" ON "repositories" USING btree ("organization_id","workspace_id","integration_id","id");
--> statement-breakpoint
call protect_tenant_table('repository_health');
--> statement-breakpoint
grant select, insert, update on repository_health to bucket_brigade_worker;
--> statement-breakpoint
grant select on repository_health to bucket_brigade_api;
--> statement-breakpoint
-- Looks again at how these repositories fare. First their rows are locked, in one order, and then looked at in a
-- statement of its own, which sees what whoever held a lock before has committed: two streams of a repository that
-- change at the same time are both in the row in the end. The rule is `BY_URGENCY` of workflows/words.ts.
create function look_at_health(organizations uuid[], repository_ids uuid[]) returns void
language plpgsql as $$
begin
  perform from repository_health h
    where h.organization_id = any (organizations) and h.repository_id = any (repository_ids)
    order by h.organization_id, h.repository_id for no key update;
  update repository_health h set integration_id = now.integration_id, full_name = now.full_name,
    imported = now.imported, state = now.state, stream_states = now.stream_states, failing_since = now.failing_since,
    last_success_at = now.last_success_at, last_attempt_at = now.last_attempt_at, next_attempt_at = now.next_attempt_at,
    looked_at = now.looked_at
  from (
    select r.organization_id, r.id, r.full_name, r.first_imported_at is not null as imported,
      -- What is gone, or out of the account's reach, is told as such, and is in nobody's health.
      case when exists (select from integration_repositories l
          where l.organization_id = r.organization_id and l.integration_id = r.integration_id
            and l.repository_id = r.id and l.presence <> 'present')
        then null else r.integration_id end as integration_id,
      case when y.failing_since is not null then 'failed' else coalesce(s.worst, 'never') end as state,
      coalesce(s.states, '') as stream_states, least(y.failing_since, s.failing_since) as failing_since,
      greatest(y.last_success_at, s.last_success_at) as last_success_at,
      greatest(y.last_attempt_at, s.last_attempt_at) as last_attempt_at, y.next_attempt_at,
      coalesce(y.rotated_at, r.first_imported_at) as looked_at
    from repositories r
    left join repository_syncs y on y.organization_id = r.organization_id and y.repository_id = r.id
    cross join lateral (
      select (array_agg(t.state order by array_position(array['failed', 'rate_limited', 'processing', 'healthy',
          'unavailable', 'switched_off', 'never'], t.state)))[1] as worst,
        string_agg(t.stream || ' ' || t.state, ',' order by t.stream) as states,
        min(t.failing_since) as failing_since, max(t.last_success_at) as last_success_at,
        max(t.last_attempt_at) as last_attempt_at
      from streams t where t.organization_id = r.organization_id and t.repository_id = r.id
    ) s
    where r.organization_id = any (organizations) and r.id = any (repository_ids)
  ) now
  where h.organization_id = now.organization_id and h.repository_id = now.id
    and (h.integration_id, h.full_name, h.imported, h.state, h.stream_states, h.failing_since, h.last_success_at,
        h.last_attempt_at, h.next_attempt_at, h.looked_at)
      is distinct from (now.integration_id, now.full_name, now.imported, now.state, now.stream_states,
        now.failing_since, now.last_success_at, now.last_attempt_at, now.next_attempt_at, now.looked_at);
end $$;
--> statement-breakpoint
-- Behind a statement on `repositories`, `streams`, `repository_syncs` or `integration_repositories`: looks at the repositories whose health it may
-- have changed. By `except`, which takes the same way for one row and for a hundred thousand: the plan is made once a
-- connection. A page moves a checkpoint, which is nothing of this.
create function note_health() returns trigger language plpgsql as $$
declare
  organizations uuid[];
  ids uuid[];
begin
  case
    when tg_op = 'INSERT' then
      select array_agg(distinct organization_id), array_agg(distinct repository_id) into organizations, ids from after;
    when tg_op = 'DELETE' then
      select array_agg(distinct organization_id), array_agg(distinct repository_id) into organizations, ids from before;
    when tg_table_name = 'repositories' then
      select array_agg(distinct organization_id), array_agg(distinct id) into organizations, ids from (
        select organization_id, id, integration_id, full_name, first_imported_at from after
        except select organization_id, id, integration_id, full_name, first_imported_at from before) changed;
    when tg_table_name = 'integration_repositories' then
      select array_agg(distinct organization_id), array_agg(distinct repository_id) into organizations, ids from (
        select organization_id, repository_id, integration_id, presence from after
        except select organization_id, repository_id, integration_id, presence from before) changed;
    when tg_table_name = 'streams' then
      select array_agg(distinct organization_id), array_agg(distinct repository_id) into organizations, ids from (
        select organization_id, repository_id, stream, state, failing_since, last_success_at, last_attempt_at from after
        except
        select organization_id, repository_id, stream, state, failing_since, last_success_at, last_attempt_at from before
      ) changed;
    else
      select array_agg(distinct organization_id), array_agg(distinct repository_id) into organizations, ids from (
        select organization_id, repository_id, failing_since, last_success_at, last_attempt_at, next_attempt_at, rotated_at from after
        except
        select organization_id, repository_id, failing_since, last_success_at, last_attempt_at, next_attempt_at, rotated_at from before
      ) changed;
  end case;
  if ids is not null then perform look_at_health(organizations, ids); end if;
  return null;
end $$;
--> statement-breakpoint
create function begin_health() returns trigger language plpgsql as $$
begin
  insert into repository_health (organization_id, repository_id, integration_id, full_name, imported)
  select organization_id, id, integration_id, full_name, first_imported_at is not null from after;
  return null;
end $$;
--> statement-breakpoint
create trigger health_of_new_repositories after insert on repositories
  referencing new table as after for each statement execute function begin_health();
--> statement-breakpoint
create trigger health_of_repositories after update on repositories
  referencing old table as before new table as after for each statement execute function note_health();
--> statement-breakpoint
create trigger health_of_new_streams after insert on streams
  referencing new table as after for each statement execute function note_health();
--> statement-breakpoint
create trigger health_of_streams after update on streams
  referencing old table as before new table as after for each statement execute function note_health();
--> statement-breakpoint
create trigger health_without_streams after delete on streams
  referencing old table as before for each statement execute function note_health();
--> statement-breakpoint
create trigger health_of_new_syncs after insert on repository_syncs
  referencing new table as after for each statement execute function note_health();
--> statement-breakpoint
create trigger health_of_syncs after update on repository_syncs
  referencing old table as before new table as after for each statement execute function note_health();
--> statement-breakpoint
create trigger health_without_syncs after delete on repository_syncs
  referencing old table as before for each statement execute function note_health();
--> statement-breakpoint
create trigger health_of_presences after update on integration_repositories
  referencing old table as before new table as after for each statement execute function note_health();
--> statement-breakpoint
create trigger health_without_presences after delete on integration_repositories
  referencing old table as before for each statement execute function note_health();
--> statement-breakpoint
call protect_tenant_table('import_totals');
--> statement-breakpoint
grant select, insert, update, delete on import_totals to bucket_brigade_worker;
--> statement-breakpoint
grant select on import_totals to bucket_brigade_api;
--> statement-breakpoint
-- A stream that is counted in `import_totals` is taken out by whoever changes or removes it, and is then added up with
-- the others that are not counted (db/queries/importTotals.ts). Its own row is locked meanwhile, so that nobody counts it.
create function take_out_of_totals() returns trigger language plpgsql as $$
declare
  gap bigint := old.records_expected - old.records_stored - old.quarantined - old.gone - old.not_permitted;
begin
  update import_totals set streams = streams - 1, stored = stored - old.records_stored,
    known = known - (old.records_expected is not null)::integer, expected = expected - coalesce(old.records_expected, 0),
    quarantined = quarantined - old.quarantined, gone = gone - old.gone, not_permitted = not_permitted - old.not_permitted,
    requests = requests - old.requests, missing = missing - greatest(0, coalesce(gap, 0)),
    surplus = surplus - greatest(0, coalesce(-gap, 0)), level = level - (gap is not distinct from 0)::integer
  where organization_id = old.organization_id and import_id = old.import_id and stream = old.stream
    and state = old.state
    and incomplete = (old.state = 'failed' and old.last_error ->> 'code' is not distinct from 'incomplete')
    and basis = coalesce(old.expected_basis, '') and method = coalesce(old.method, '');
  if tg_op = 'DELETE' then return old; end if;
  new.settled := false;
  return new;
end $$;
--> statement-breakpoint
create trigger taken_out_of_totals before update on import_streams
  for each row when (old.settled) execute function take_out_of_totals();
--> statement-breakpoint
create trigger removed_from_totals before delete on import_streams
  for each row when (old.settled) execute function take_out_of_totals();
--> statement-breakpoint
-- A repository that is tried again has not ended any more, so nothing of it stays counted.
create function take_up_again() returns trigger language plpgsql as $$
begin
  update import_streams set settled = false
  where organization_id = new.organization_id and import_id = new.import_id and repository_id = new.repository_id
    and settled;
  return null;
end $$;
--> statement-breakpoint
create trigger taken_up_again after update on import_repositories for each row
  when (old.state in ('completed', 'failed', 'cancelled') and new.state not in ('completed', 'failed', 'cancelled'))
  execute function take_up_again();
--> statement-breakpoint
-- What is there already. The triggers above hold back whoever writes until this commits.
alter table repositories no force row level security;
--> statement-breakpoint
alter table streams no force row level security;
--> statement-breakpoint
alter table repository_syncs no force row level security;
--> statement-breakpoint
alter table repository_health no force row level security;
--> statement-breakpoint
alter table import_repositories no force row level security;
--> statement-breakpoint
alter table import_streams no force row level security;
--> statement-breakpoint
alter table import_totals no force row level security;
--> statement-breakpoint
insert into repository_health (organization_id, repository_id, integration_id, full_name, imported)
select organization_id, id, integration_id, full_name, first_imported_at is not null from repositories;
--> statement-breakpoint
do $$
declare
  organization uuid;
begin
  for organization in select distinct organization_id from repository_health loop
    perform look_at_health(array[organization],
      array(select repository_id from repository_health where organization_id = organization));
  end loop;
end $$;
--> statement-breakpoint
with settled as (
  update import_streams s set settled = true from import_repositories r
  where r.organization_id = s.organization_id and r.import_id = s.import_id and r.repository_id = s.repository_id
    and r.state in ('completed', 'failed', 'cancelled') and r.read_by is null
  returning s.*, s.records_expected - s.records_stored - s.quarantined - s.gone - s.not_permitted as gap
)
insert into import_totals
select organization_id, import_id, stream, state,
  state = 'failed' and last_error ->> 'code' is not distinct from 'incomplete', coalesce(expected_basis, ''),
  coalesce(method, ''), count(*), sum(records_stored), count(records_expected), coalesce(sum(records_expected), 0),
  sum(quarantined), sum(gone), sum(not_permitted), sum(requests), coalesce(sum(greatest(0, gap)), 0),
  coalesce(sum(greatest(0, -gap)), 0), count(*) filter (where gap = 0)
from settled group by 1, 2, 3, 4, 5, 6, 7;
--> statement-breakpoint
alter table repositories force row level security;
--> statement-breakpoint
alter table streams force row level security;
--> statement-breakpoint
alter table repository_syncs force row level security;
--> statement-breakpoint
alter table repository_health force row level security;
--> statement-breakpoint
alter table import_repositories force row level security;
--> statement-breakpoint
alter table import_streams force row level security;
--> statement-breakpoint
alter table import_totals force row level security;
