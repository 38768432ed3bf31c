CREATE INDEX "imports_pending" ON "imports" USING btree ("created_at") WHERE "imports"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "quarantine_retries_pending" ON "quarantine_retries" USING btree ("created_at") WHERE "quarantine_retries"."state" = 'pending';--> statement-breakpoint
-- Rows that a request stored and whose run was never started are found before any tenant is chosen.
grant select (id, organization_id, state, kind, started_by_key, created_at) on imports to bucket_brigade_lookup;
--> statement-breakpoint
grant select (id, organization_id, state, created_at) on quarantine_retries to bucket_brigade_lookup;
--> statement-breakpoint
create policy lookup on imports for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create policy lookup on quarantine_retries for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create function lookup_imports_left_unbegun() returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$
  select i.organization_id, i.id from imports i
  where i.state = 'pending' and i.kind = 'import' and i.started_by_key is not null
    and i.created_at < clock_timestamp() - interval '2 minutes' limit 1000
$$;
--> statement-breakpoint
create function lookup_retries_left_unbegun() returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$
  select q.organization_id, q.id from quarantine_retries q
  where q.state = 'pending' and q.created_at < clock_timestamp() - interval '2 minutes' limit 1000
$$;
--> statement-breakpoint
grant create on schema public to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_imports_left_unbegun() owner to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_retries_left_unbegun() owner to bucket_brigade_lookup;
--> statement-breakpoint
revoke create on schema public from bucket_brigade_lookup;
--> statement-breakpoint
set local role bucket_brigade_lookup;
--> statement-breakpoint
revoke all on function lookup_imports_left_unbegun(), lookup_retries_left_unbegun() from public;
--> statement-breakpoint
grant execute on function lookup_imports_left_unbegun(), lookup_retries_left_unbegun() to bucket_brigade_worker;
--> statement-breakpoint
reset role;
