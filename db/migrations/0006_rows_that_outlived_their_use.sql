CREATE INDEX "oauth_flows_end" ON "oauth_flows" USING btree ("expires_at");
--> statement-breakpoint
-- Which tenants have OAuth flows or kept answers to remove is found before any tenant is chosen.
grant select (expires_at) on oauth_flows to bucket_brigade_lookup;
--> statement-breakpoint
grant select (organization_id, created_at) on idempotency_keys to bucket_brigade_lookup;
--> statement-breakpoint
create policy lookup on idempotency_keys for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create function lookup_organizations_to_sweep() returns table (organization_id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$
  (select f.organization_id from oauth_flows f where f.expires_at < clock_timestamp() - interval '1 hour' limit 1000)
  union
  (select k.organization_id from idempotency_keys k where k.created_at < clock_timestamp() - interval '24 hours' limit 1000)
$$;
--> statement-breakpoint
grant create on schema public to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_organizations_to_sweep() owner to bucket_brigade_lookup;
--> statement-breakpoint
revoke create on schema public from bucket_brigade_lookup;
--> statement-breakpoint
set local role bucket_brigade_lookup;
--> statement-breakpoint
revoke all on function lookup_organizations_to_sweep() from public;
--> statement-breakpoint
grant execute on function lookup_organizations_to_sweep() to bucket_brigade_worker;
--> statement-breakpoint
reset role;
