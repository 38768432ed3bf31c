CREATE INDEX "credentials_of_account" ON "credentials" USING btree ("account_key") WHERE "credentials"."account_key" is not null;
--> statement-breakpoint
-- What the polls of an account spend is asked by each of its integrations, also where they are of different tenants. Told
-- is the sum alone: of the last rounds of the others that are active and still have rounds.
grant select (account_key) on credentials to bucket_brigade_lookup;
--> statement-breakpoint
grant select (credential_id) on integrations to bucket_brigade_lookup;
--> statement-breakpoint
grant select (organization_id, integration_id, requests, effective_interval_ms, last_started_at) on integration_polls
  to bucket_brigade_lookup;
--> statement-breakpoint
create policy lookup on integration_polls for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create function lookup_poll_requests_of_account(account text, besides uuid) returns double precision
language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(sum(p.requests), 0)::double precision
  from credentials c
  join integrations n on n.organization_id = c.organization_id and n.credential_id = c.id
  join integration_polls p on p.organization_id = n.organization_id and p.integration_id = n.id
  where c.account_key = account and n.state = 'active' and n.id <> besides
    and p.last_started_at > clock_timestamp()
      - greatest(interval '1 day', make_interval(secs => 2 * p.effective_interval_ms / 1000.0))
$$;
--> statement-breakpoint
grant create on schema public to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_poll_requests_of_account(text, uuid) owner to bucket_brigade_lookup;
--> statement-breakpoint
revoke create on schema public from bucket_brigade_lookup;
--> statement-breakpoint
set local role bucket_brigade_lookup;
--> statement-breakpoint
revoke all on function lookup_poll_requests_of_account(text, uuid) from public;
--> statement-breakpoint
grant execute on function lookup_poll_requests_of_account(text, uuid) to bucket_brigade_worker;
--> statement-breakpoint
reset role;
