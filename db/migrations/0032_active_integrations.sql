-- Whose poll schedules are looked at when a worker starts: found before any tenant is chosen, some at a time.
create function lookup_active_integrations(after uuid, at_most integer) returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$
  select n.organization_id, n.id from integrations n
  where n.state = 'active' and n.id > coalesce(after, '00000000-0000-0000-0000-000000000000')
  order by n.id limit at_most
$$;
--> statement-breakpoint
grant create on schema public to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_active_integrations(uuid, integer) owner to bucket_brigade_lookup;
--> statement-breakpoint
revoke create on schema public from bucket_brigade_lookup;
--> statement-breakpoint
set local role bucket_brigade_lookup;
--> statement-breakpoint
revoke all on function lookup_active_integrations(uuid, integer) from public;
--> statement-breakpoint
grant execute on function lookup_active_integrations(uuid, integer) to bucket_brigade_worker;
--> statement-breakpoint
reset role;
