ALTER TABLE "sync_ranges" ADD COLUMN "asked_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL;--> statement-breakpoint
CREATE INDEX "connection_checks_running" ON "connection_checks" USING btree ("created_at") WHERE "connection_checks"."state" = 'running';--> statement-breakpoint
CREATE INDEX "integrations_drafts" ON "integrations" USING btree ("draft_expires_at") WHERE "integrations"."draft_expires_at" is not null;--> statement-breakpoint
-- Checks and drafts whose run never began, or was lost, are found before any tenant is chosen.
grant select (id, organization_id, state, created_at) on connection_checks to bucket_brigade_lookup;
--> statement-breakpoint
grant select (id, organization_id, state, draft_expires_at) on integrations to bucket_brigade_lookup;
--> statement-breakpoint
create policy lookup on connection_checks for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create policy lookup on integrations for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create function lookup_checks_left_running() returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$
  select c.organization_id, c.id from connection_checks c
  where c.state = 'running' and c.created_at < clock_timestamp() - interval '30 minutes' limit 1000
$$;
--> statement-breakpoint
create function lookup_drafts_left_behind() returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$
  select n.organization_id, n.id from integrations n
  where n.draft_expires_at < clock_timestamp() - interval '1 hour' limit 1000
$$;
--> statement-breakpoint
grant create on schema public to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_checks_left_running() owner to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_drafts_left_behind() owner to bucket_brigade_lookup;
--> statement-breakpoint
revoke create on schema public from bucket_brigade_lookup;
--> statement-breakpoint
set local role bucket_brigade_lookup;
--> statement-breakpoint
revoke all on function lookup_checks_left_running(), lookup_drafts_left_behind() from public;
--> statement-breakpoint
grant execute on function lookup_checks_left_running(), lookup_drafts_left_behind() to bucket_brigade_worker;
--> statement-breakpoint
reset role;
