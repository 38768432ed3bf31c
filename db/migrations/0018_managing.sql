CREATE TABLE "events" (
	"organization_id" uuid NOT NULL,
	"xact" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"id" bigint GENERATED ALWAYS AS IDENTITY (sequence name "events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"type" text NOT NULL,
	"integration_id" uuid,
	"import_id" uuid,
	"repository_id" uuid,
	"api_key_id" uuid,
	"acting_user" text,
	"data" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "events_organization_id_xact_id_pk" PRIMARY KEY("organization_id","xact","id")
);
--> statement-breakpoint
ALTER TABLE "import_streams" DROP CONSTRAINT "import_streams_state";--> statement-breakpoint
ALTER TABLE "streams" DROP CONSTRAINT "streams_state";--> statement-breakpoint
ALTER TABLE "credentials" ADD COLUMN "warned_days" integer;--> statement-breakpoint
ALTER TABLE "integrations" ADD COLUMN "previous_account" jsonb;--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "events_of_integration" ON "events" USING btree ("organization_id","integration_id","xact","id");--> statement-breakpoint
CREATE INDEX "repositories_of_integration" ON "repositories" USING btree ("organization_id","integration_id","full_name","id");--> statement-breakpoint
CREATE INDEX "streams_failed" ON "streams" USING btree ("organization_id","repository_id") WHERE "streams"."state" = 'failed';--> statement-breakpoint
ALTER TABLE "import_streams" ADD CONSTRAINT "import_streams_state" CHECK ("import_streams"."state" in ('never', 'processing', 'healthy', 'rate_limited', 'failed', 'unavailable', 'switched_off'));--> statement-breakpoint
ALTER TABLE "streams" ADD CONSTRAINT "streams_state" CHECK ("streams"."state" in ('never', 'processing', 'healthy', 'rate_limited', 'failed', 'unavailable', 'switched_off'));
--> statement-breakpoint
-- The audit trail so far becomes the beginning of the feed.
alter table audit_events no force row level security;
--> statement-breakpoint
insert into events (organization_id, type, integration_id, import_id, repository_id, api_key_id, acting_user, data, at)
select organization_id, action, integration_id, (details ->> 'import_id')::uuid, (details ->> 'repository_id')::uuid,
  api_key_id, acting_user, details - 'import_id' - 'repository_id', at
from audit_events order by organization_id, id;
--> statement-breakpoint
alter table audit_events force row level security;
--> statement-breakpoint
call protect_tenant_table('events');
--> statement-breakpoint
-- Append only, like the audit trail.
grant insert, select on events to bucket_brigade_worker, bucket_brigade_api;
--> statement-breakpoint
-- Which credentials come near their end is found before any tenant is chosen.
grant select (state, expires_on, warned_days) on credentials to bucket_brigade_lookup;
--> statement-breakpoint
create function lookup_expiring_credentials(warn_days integer[]) returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$
  select c.organization_id, c.id from credentials c
  where c.state = 'active' and c.expires_on > clock_timestamp() and exists (
    select from unnest(warn_days) as given (days)
    where c.expires_on <= clock_timestamp() + make_interval(days => given.days)
      and given.days < coalesce(c.warned_days, given.days + 1))
  limit 1000
$$;
--> statement-breakpoint
grant create on schema public to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_expiring_credentials(integer[]) owner to bucket_brigade_lookup;
--> statement-breakpoint
revoke create on schema public from bucket_brigade_lookup;
--> statement-breakpoint
set local role bucket_brigade_lookup;
--> statement-breakpoint
revoke all on function lookup_expiring_credentials(integer[]) from public;
--> statement-breakpoint
grant execute on function lookup_expiring_credentials(integer[]) to bucket_brigade_worker;
--> statement-breakpoint
reset role;
