-- A worker's clones are of many tenants: which of them are still fetched by an integration is found before any is chosen.
grant select (id, integration_id) on repositories to bucket_brigade_lookup;
--> statement-breakpoint
create policy lookup on repositories for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create function lookup_fetched_repositories(ids uuid[]) returns table (id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$ select r.id from repositories r where r.id = any (ids) and r.integration_id is not null $$;
--> statement-breakpoint
grant create on schema public to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_fetched_repositories(uuid[]) owner to bucket_brigade_lookup;
--> statement-breakpoint
revoke create on schema public from bucket_brigade_lookup;
--> statement-breakpoint
set local role bucket_brigade_lookup;
--> statement-breakpoint
revoke all on function lookup_fetched_repositories(uuid[]) from public;
--> statement-breakpoint
grant execute on function lookup_fetched_repositories(uuid[]) to bucket_brigade_worker;
--> statement-breakpoint
reset role;
