CREATE TABLE "webhook_deliveries" (
	"organization_id" uuid NOT NULL,
	"received_on" date DEFAULT (clock_timestamp() at time zone 'UTC')::date NOT NULL,
	"id" uuid NOT NULL,
	"webhook_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"received_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"repeats" integer DEFAULT 0 NOT NULL,
	"repeated_at" timestamptz(6),
	"event_key" text NOT NULL,
	"request_uuid" text,
	"attempt" integer DEFAULT 1 NOT NULL,
	"body" "bytea" NOT NULL,
	"repository_uuid" text,
	"pull_request_state" text,
	"due_at" timestamptz(6) DEFAULT clock_timestamp(),
	"processed_at" timestamptz(6),
	"outcome" text,
	"reason" text,
	CONSTRAINT "webhook_deliveries_key" PRIMARY KEY("organization_id","webhook_id","received_on","id"),
	CONSTRAINT "webhook_deliveries_outcome" CHECK ("webhook_deliveries"."outcome" in ('woken', 'ignored'))
) PARTITION BY RANGE ("received_on");
--> statement-breakpoint
CREATE TABLE "webhook_wakes" (
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"repository_id" uuid,
	"woken_at" timestamptz(6) NOT NULL,
	CONSTRAINT "webhook_wakes_target" UNIQUE NULLS NOT DISTINCT("organization_id","integration_id","repository_id")
);
--> statement-breakpoint
CREATE TABLE "webhooks" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"scope" text NOT NULL,
	"workspace_id" uuid NOT NULL,
	"repository_id" uuid,
	"provider_uuid" text,
	"token" text NOT NULL,
	"generation" integer DEFAULT 1 NOT NULL,
	"previous_generation_until" timestamptz(6),
	"state" text DEFAULT 'pending' NOT NULL,
	"events" text[] DEFAULT '{}' NOT NULL,
	"last_error" jsonb,
	"last_delivery_at" timestamptz(6),
	"last_checked_at" timestamptz(6),
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "webhooks_token_unique" UNIQUE("token"),
	CONSTRAINT "webhooks_in_organization" UNIQUE("organization_id","id"),
	CONSTRAINT "webhooks_scope" CHECK ("webhooks"."scope" in ('workspace', 'repository')),
	CONSTRAINT "webhooks_state" CHECK ("webhooks"."state" in ('pending', 'active', 'missing', 'inactive', 'not_allowed', 'failed', 'removing')),
	CONSTRAINT "webhooks_target" CHECK (("webhooks"."scope" = 'repository') = ("webhooks"."repository_id" is not null)),
	CONSTRAINT "webhooks_token" CHECK (length("webhooks"."token") >= 43)
);
--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_webhook" FOREIGN KEY ("organization_id","webhook_id") REFERENCES "public"."webhooks"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_wakes" ADD CONSTRAINT "webhook_wakes_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_wakes" ADD CONSTRAINT "webhook_wakes_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhooks" ADD CONSTRAINT "webhooks_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhooks" ADD CONSTRAINT "webhooks_workspace" FOREIGN KEY ("organization_id","workspace_id") REFERENCES "public"."workspaces"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhooks" ADD CONSTRAINT "webhooks_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "webhook_deliveries_due" ON "webhook_deliveries" USING btree ("due_at") WHERE "webhook_deliveries"."due_at" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "webhooks_of_workspace" ON "webhooks" USING btree ("organization_id","integration_id","workspace_id") WHERE "webhooks"."repository_id" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "webhooks_of_repository" ON "webhooks" USING btree ("organization_id","integration_id","repository_id") WHERE "webhooks"."repository_id" is not null;
--> statement-breakpoint
-- Bodies are hardly ever read, and dropped with their day: compressing them would cost more than it saves.
alter table webhook_deliveries alter column body set storage external;
--> statement-breakpoint
-- Takes what comes for a day that has no partition; there is none while a worker runs now and then in a week.
create table webhook_deliveries_default partition of webhook_deliveries default;
--> statement-breakpoint
-- One row a repository, changed every second at most: room on each page keeps the updates off the index.
alter table webhook_wakes set (fillfactor = 50);
--> statement-breakpoint
call protect_tenant_table('webhooks');
--> statement-breakpoint
call protect_tenant_table('webhook_deliveries');
--> statement-breakpoint
call protect_tenant_table('webhook_deliveries_default');
--> statement-breakpoint
call protect_tenant_table('webhook_wakes');
--> statement-breakpoint
-- What keeps the days moves rows of any tenant out of the partition that should have none.
create policy keeper on webhook_deliveries_default to bucket_brigade_owner using (true) with check (true);
--> statement-breakpoint
grant select, insert, update, delete on webhooks, webhook_deliveries, webhook_wakes to bucket_brigade_worker;
--> statement-breakpoint
grant select on webhooks, webhook_deliveries to bucket_brigade_api;
--> statement-breakpoint
grant insert, update (repeats, repeated_at, due_at) on webhook_deliveries to bucket_brigade_api;
--> statement-breakpoint
-- Makes the days from today to a week from now where they are missing, with what came for them before, and drops those
-- of more than a week ago. Application roles own nothing, so the owner does it for them. Whoever finds somebody else at it
-- leaves it to them; whoever finds the table busy for a second gives up, and is called again a minute later.
create function keep_webhook_delivery_days() returns table (made integer, dropped integer)
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '1s' set enable_seqscan = on
as $$
declare
  today date := (clock_timestamp() at time zone 'UTC')::date;
  day date;
  part text;
begin
  made := 0;
  dropped := 0;
  if not pg_try_advisory_xact_lock(hashtext('bucket brigade webhook delivery days')) then
    return next;
    return;
  end if;
  for day in select today + n from generate_series(0, 7) n loop
    part := 'webhook_deliveries_' || to_char(day, 'YYYYMMDD');
    continue when to_regclass(part) is not null;
    -- Made first, attached then: making it as a partition would keep deliveries waiting meanwhile. Rows go in when it is
    -- attached: the foreign key is checked under row-level security when a table with rows is, and finds no webhook.
    execute format('create table %I (like webhook_deliveries including defaults including constraints including storage)', part);
    create temporary table moved (like webhook_deliveries) on commit drop;
    with left_there as (delete from webhook_deliveries_default where received_on = day returning *)
      insert into moved select * from left_there;
    execute format('alter table webhook_deliveries attach partition %I for values from (%L) to (%L)', part, day, day + 1);
    execute format('insert into %I select * from moved', part);
    drop table moved;
    execute format('call protect_tenant_table(%L)', part);
    made := made + 1;
  end loop;
  for part in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'webhook_deliveries'::regclass and c.relname ~ '^webhook_deliveries_\d{8}$'
      and c.relname < 'webhook_deliveries_' || to_char(today - 7, 'YYYYMMDD')
  loop
    execute format('drop table %I', part);
    dropped := dropped + 1;
  end loop;
  delete from webhook_deliveries_default where received_on < today - 7;
  return next;
end $$;
--> statement-breakpoint
revoke all on function keep_webhook_delivery_days() from public;
--> statement-breakpoint
grant execute on function keep_webhook_delivery_days() to bucket_brigade_worker;
--> statement-breakpoint
select keep_webhook_delivery_days();
--> statement-breakpoint
-- Stores deliveries, those of several tenants too, in one statement; answers the ids of those that are stored. `bodies` is all
-- of them one after the other; `deliveries` says where each is. It has no rights of its own: each tenant's rows go in under
-- row-level security as if that tenant's request had come alone.
-- A body that came before that day is counted, and taken up again a minute after it was: the same change can be made twice,
-- and a captured delivery that is played back must neither fill the table nor keep a sync running.
create function store_webhook_deliveries(deliveries jsonb, bodies bytea) returns setof uuid
language plpgsql set search_path = public, pg_temp
as $$
declare
  tenant uuid;
begin
  for tenant in select distinct n.organization_id from jsonb_to_recordset(deliveries) as n (organization_id uuid) loop
    perform set_config('app.organization', tenant::text, true);
    return query
      insert into webhook_deliveries as d
        (organization_id, id, webhook_id, integration_id, event_key, request_uuid, attempt, repository_uuid,
          pull_request_state, body)
      select w.organization_id, n.id, w.id, w.integration_id, n.event_key, n.request_uuid, n.attempt, n.repository_uuid,
        n.pull_request_state, substring(bodies from n.starts_at + 1 for n.bytes)
      from jsonb_to_recordset(deliveries) as n (organization_id uuid, id uuid, webhook_id uuid, event_key text,
        request_uuid text, attempt integer, repository_uuid text, pull_request_state text, starts_at integer, bytes integer)
      join webhooks w on w.organization_id = n.organization_id and w.id = n.webhook_id
      where n.organization_id = tenant
      order by n.id
      on conflict (organization_id, webhook_id, received_on, id) do update set
        repeats = d.repeats + 1,
        repeated_at = clock_timestamp(),
        due_at = case when d.due_at is null then greatest(clock_timestamp(), d.processed_at + interval '1 minute')
          else d.due_at end
      returning d.id;
  end loop;
  perform set_config('app.organization', '', true);
end $$;
--> statement-breakpoint
revoke all on function store_webhook_deliveries(jsonb, bytea) from public;
--> statement-breakpoint
grant execute on function store_webhook_deliveries(jsonb, bytea) to bucket_brigade_api;
--> statement-breakpoint
-- Whose hook a token is, and which deliveries the relay may take up, are found before any tenant is chosen.
grant select (id, organization_id, token) on webhooks to bucket_brigade_lookup;
--> statement-breakpoint
grant select (organization_id, webhook_id, received_on, id, due_at) on webhook_deliveries to bucket_brigade_lookup;
--> statement-breakpoint
create policy lookup on webhooks for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create policy lookup on webhook_deliveries for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create function lookup_webhook(hook_token text) returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$ select w.organization_id, w.id from webhooks w where w.token = hook_token $$;
--> statement-breakpoint
create function lookup_due_webhook_deliveries(at_most integer)
returns table (organization_id uuid, webhook_id uuid, received_on date, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$
  select d.organization_id, d.webhook_id, d.received_on, d.id from webhook_deliveries d
  where d.due_at <= clock_timestamp() order by d.due_at limit at_most
$$;
--> statement-breakpoint
grant create on schema public to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_webhook(text) owner to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_due_webhook_deliveries(integer) owner to bucket_brigade_lookup;
--> statement-breakpoint
revoke create on schema public from bucket_brigade_lookup;
--> statement-breakpoint
set local role bucket_brigade_lookup;
--> statement-breakpoint
revoke all on function lookup_webhook(text), lookup_due_webhook_deliveries(integer) from public;
--> statement-breakpoint
grant execute on function lookup_webhook(text) to bucket_brigade_api;
--> statement-breakpoint
grant execute on function lookup_due_webhook_deliveries(integer) to bucket_brigade_worker;
--> statement-breakpoint
reset role;
--> statement-breakpoint
CREATE TABLE "webhook_upkeep" (
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"wanted" boolean NOT NULL,
	"generation" integer DEFAULT 1 NOT NULL,
	"command_id" text NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"error" jsonb,
	"waiting_until" timestamptz(6),
	"waiting_reason" text,
	"last_round_at" timestamptz(6),
	"next_round_at" timestamptz(6),
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "webhook_upkeep_organization_id_integration_id_pk" PRIMARY KEY("organization_id","integration_id"),
	CONSTRAINT "webhook_upkeep_state" CHECK ("webhook_upkeep"."state" in ('pending', 'running', 'rate_limited', 'done', 'failed'))
);
--> statement-breakpoint
ALTER TABLE "webhook_upkeep" ADD CONSTRAINT "webhook_upkeep_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
call protect_tenant_table('webhook_upkeep');
--> statement-breakpoint
grant select, insert, update, delete on webhook_upkeep to bucket_brigade_worker;
--> statement-breakpoint
grant select on webhook_upkeep to bucket_brigade_api;
