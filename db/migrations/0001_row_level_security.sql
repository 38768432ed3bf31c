-- Tenants are kept apart by the database: every table with an organization shows and takes only the rows of
-- `app.organization`, set per transaction. FORCE makes that hold for the owner too. After `set local` a pooled
-- connection holds '' instead of null, hence nullif. Later migrations protect their new tables by the same call.
create procedure protect_tenant_table(tenant_table regclass, tenant_column name default 'organization_id')
language plpgsql as $$
begin
  execute format('alter table %s enable row level security', tenant_table);
  execute format('alter table %s force row level security', tenant_table);
  execute format(
    'create policy tenant on %s using (%2$I = (select nullif(current_setting(''app.organization'', true), '''')::uuid))
       with check (%2$I = (select nullif(current_setting(''app.organization'', true), '''')::uuid))',
    tenant_table, tenant_column);
end $$;
--> statement-breakpoint
do $$
declare
  tenant_table regclass;
begin
  for tenant_table in
    select format('%I.%I', table_schema, table_name)::regclass
    from information_schema.columns
    where table_schema = 'public' and column_name = 'organization_id'
  loop
    call protect_tenant_table(tenant_table);
  end loop;
end $$;
--> statement-breakpoint
call protect_tenant_table('organizations', 'id');
--> statement-breakpoint
-- The operator makes and lists organizations and their keys, before any tenant is chosen.
create policy operator on organizations to bucket_brigade_owner using (true) with check (true);
--> statement-breakpoint
create policy operator on api_keys to bucket_brigade_owner using (true) with check (true);
--> statement-breakpoint
revoke all on schema public from public;
--> statement-breakpoint
grant usage on schema public to bucket_brigade_api, bucket_brigade_worker, bucket_brigade_lookup;
--> statement-breakpoint
-- The worker writes everything but the tenants and their keys; the audit trail is append only.
grant select, insert, update, delete on
  integrations, credentials, connection_checks, oauth_flows, workspaces, projects, repositories,
  integration_workspaces, integration_repositories, streams, imports, import_repositories, import_streams,
  import_events, quarantine, request_limits, accounts, branches, tags, commits, commit_files, pull_requests,
  pull_request_participants, pull_request_activity, pull_request_comments, tickets, ticket_comments, ticket_changes
  to bucket_brigade_worker;
--> statement-breakpoint
grant select on organizations to bucket_brigade_worker;
--> statement-breakpoint
grant delete, select on idempotency_keys to bucket_brigade_worker;
--> statement-breakpoint
grant insert, select on audit_events to bucket_brigade_worker, bucket_brigade_api;
--> statement-breakpoint
-- The api reads, and writes only what enters through a request. It puts sealed secrets in and never reads one out.
grant select on
  organizations, api_keys, integrations, connection_checks, workspaces, projects, repositories,
  integration_workspaces, integration_repositories, streams, imports, import_repositories, import_streams,
  import_events, quarantine, accounts, branches, tags, commits, commit_files, pull_requests,
  pull_request_participants, pull_request_activity, pull_request_comments, tickets, ticket_comments, ticket_changes
  to bucket_brigade_api;
--> statement-breakpoint
grant insert on integrations, credentials, connection_checks, oauth_flows, imports to bucket_brigade_api;
--> statement-breakpoint
grant select (id, organization_id, integration_id, owner_id, kind, state, key_id, fields, account_key, scopes,
  expires_on, access_expires_at, version, created_at) on credentials to bucket_brigade_api;
--> statement-breakpoint
grant select (id, organization_id, integration_id, state_hash, key_id, return_url, completion_hash, state, error,
  check_id, started_by_key, started_by_user, created_at, expires_at) on oauth_flows to bucket_brigade_api;
--> statement-breakpoint
grant update (sealed_code, key_id, completion_hash, state, error, check_id) on oauth_flows to bucket_brigade_api;
--> statement-breakpoint
grant select, insert, update, delete on idempotency_keys to bucket_brigade_api;
--> statement-breakpoint
-- Rows that must be found before the tenant is known. These functions give ids only; their owner may read just
-- these columns of just these tables, and nobody can log in as it.
grant select (id, organization_id, prefix) on api_keys to bucket_brigade_lookup;
--> statement-breakpoint
grant select (id, organization_id, state_hash, completion_hash) on oauth_flows to bucket_brigade_lookup;
--> statement-breakpoint
grant select (id, organization_id, discard_after) on credentials to bucket_brigade_lookup;
--> statement-breakpoint
create policy lookup on api_keys for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create policy lookup on oauth_flows for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create policy lookup on credentials for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create function lookup_api_key(key_prefix text) returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$ select k.organization_id, k.id from api_keys k where k.prefix = key_prefix $$;
--> statement-breakpoint
create function lookup_oauth_state(hash bytea) returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$ select f.organization_id, f.id from oauth_flows f where f.state_hash = hash $$;
--> statement-breakpoint
create function lookup_oauth_completion(hash bytea) returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$ select f.organization_id, f.id from oauth_flows f where f.completion_hash = hash $$;
--> statement-breakpoint
create function lookup_secrets_to_discard() returns table (organization_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$ select c.organization_id, c.id from credentials c where c.discard_after < clock_timestamp() limit 1000 $$;
--> statement-breakpoint
grant create on schema public to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_api_key(text) owner to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_oauth_state(bytea) owner to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_oauth_completion(bytea) owner to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_secrets_to_discard() owner to bucket_brigade_lookup;
--> statement-breakpoint
revoke create on schema public from bucket_brigade_lookup;
--> statement-breakpoint
set local role bucket_brigade_lookup;
--> statement-breakpoint
revoke all on function lookup_api_key(text), lookup_oauth_state(bytea), lookup_oauth_completion(bytea),
  lookup_secrets_to_discard() from public;
--> statement-breakpoint
grant execute on function lookup_api_key(text), lookup_oauth_state(bytea), lookup_oauth_completion(bytea)
  to bucket_brigade_api;
--> statement-breakpoint
grant execute on function lookup_secrets_to_discard() to bucket_brigade_worker;
--> statement-breakpoint
reset role;
