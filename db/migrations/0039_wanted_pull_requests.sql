CREATE TABLE "wanted_pull_requests" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"part" text NOT NULL,
	"asked_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "wanted_pull_requests_key" PRIMARY KEY("organization_id","repository_id","number","part"),
	CONSTRAINT "wanted_pull_requests_part" CHECK ("wanted_pull_requests"."part" in ('record', 'comments'))
);
--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD COLUMN "pull_request_number" integer;--> statement-breakpoint
ALTER TABLE "wanted_pull_requests" ADD CONSTRAINT "wanted_pull_requests_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
call protect_tenant_table('wanted_pull_requests');
--> statement-breakpoint
grant select, insert, update, delete on wanted_pull_requests to bucket_brigade_worker;
--> statement-breakpoint
-- As before (0017 says how), with the number of the pull request.
create or replace function store_webhook_deliveries(deliveries jsonb, bodies bytea) returns setof uuid
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
          pull_request_state, pull_request_number, body)
      select w.organization_id, n.id, w.id, w.integration_id, n.event_key, n.request_uuid, n.attempt, n.repository_uuid,
        n.pull_request_state, n.pull_request_number, substring(bodies from n.starts_at + 1 for n.bytes)
      from jsonb_to_recordset(deliveries) as n (organization_id uuid, id uuid, webhook_id uuid, event_key text,
        request_uuid text, attempt integer, repository_uuid text, pull_request_state text, pull_request_number integer,
        starts_at integer, bytes integer)
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
