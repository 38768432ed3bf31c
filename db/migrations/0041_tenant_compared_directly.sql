-- The tenant is compared without a subquery. Where a statement waits for a row that somebody changes and then judges it
-- again, Postgres (18.4) sets what such a subquery answered inside of another one back to null from the second row on: the
-- comparison of ids reads it and the process crashes, and all connections with it. A policy puts one into each subquery of
-- each statement.
create or replace procedure protect_tenant_table(tenant_table regclass, tenant_column name default 'organization_id')
language plpgsql as $$
begin
  execute format('alter table %s enable row level security', tenant_table);
  execute format('alter table %s force row level security', tenant_table);
  execute format('drop policy if exists tenant on %s', tenant_table);
  execute format(
    'create policy tenant on %s using (%2$I = nullif(current_setting(''app.organization'', true), '''')::uuid)
       with check (%2$I = nullif(current_setting(''app.organization'', true), '''')::uuid)',
    tenant_table, tenant_column);
end $$;
--> statement-breakpoint
do $$
declare
  tenant_table regclass;
begin
  for tenant_table in
    select p.polrelid::regclass from pg_policy p join pg_class c on c.oid = p.polrelid
    where p.polname = 'tenant' and c.relnamespace = 'public'::regnamespace and c.oid <> 'organizations'::regclass
  loop
    call protect_tenant_table(tenant_table);
  end loop;
end $$;
--> statement-breakpoint
call protect_tenant_table('organizations', 'id');
