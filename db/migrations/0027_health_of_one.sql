-- As in 0022 and 0025, but only rows of the repositories that changed are read: `limit 1`, and the ids named twice, keep
-- Postgres from reading the syncs, the presences and the health of all repositories of the organization for one of them.
create or replace function look_at_health(organizations uuid[], repository_ids uuid[]) returns void
language plpgsql set plan_cache_mode = force_generic_plan as $$
begin
  perform from repository_health h
    where h.organization_id = any (organizations) and h.repository_id = any (repository_ids)
    order by h.organization_id, h.repository_id for no key update;
  update repository_health h set integration_id = now.integration_id, full_name = now.full_name,
    imported = now.imported, state = now.state, stream_states = now.stream_states, failing_since = now.failing_since,
    last_success_at = now.last_success_at, last_attempt_at = now.last_attempt_at, next_attempt_at = now.next_attempt_at,
    looked_at = now.looked_at
  from (
    select r.organization_id, r.id, r.full_name, r.first_imported_at is not null as imported,
      -- What is gone, or out of the account's reach, is told as such, and is in nobody's health.
      case when (select true from integration_repositories l
          where l.organization_id = r.organization_id and l.integration_id = r.integration_id
            and l.repository_id = r.id and l.presence <> 'present' limit 1)
        then null else r.integration_id end as integration_id,
      case when y.failing_since is not null then 'failed' else coalesce(s.worst, 'never') end as state,
      coalesce(s.states, '') as stream_states, least(y.failing_since, s.failing_since) as failing_since,
      greatest(y.last_success_at, s.last_success_at) as last_success_at,
      greatest(y.last_attempt_at, s.last_attempt_at) as last_attempt_at, y.next_attempt_at,
      coalesce(y.rotated_at, r.first_imported_at) as looked_at
    from repositories r
    left join lateral (
      select * from repository_syncs o where o.organization_id = r.organization_id and o.repository_id = r.id limit 1
    ) y on true
    cross join lateral (
      select (array_agg(t.state order by array_position(array['failed', 'rate_limited', 'processing', 'healthy',
          'unavailable', 'switched_off', 'never'], t.state)))[1] as worst,
        string_agg(t.stream || ' ' || t.state, ',' order by t.stream) as states,
        min(t.failing_since) as failing_since, max(t.last_success_at) as last_success_at,
        max(t.last_attempt_at) as last_attempt_at
      from streams t where t.organization_id = r.organization_id and t.repository_id = r.id
    ) s
    where r.organization_id = any (organizations) and r.id = any (repository_ids)
  ) now
  where h.organization_id = any (organizations) and h.repository_id = any (repository_ids)
    and h.organization_id = now.organization_id and h.repository_id = now.id
    and (h.integration_id, h.full_name, h.imported, h.state, h.stream_states, h.failing_since, h.last_success_at,
        h.last_attempt_at, h.next_attempt_at, h.looked_at)
      is distinct from (now.integration_id, now.full_name, now.imported, now.state, now.stream_states,
        now.failing_since, now.last_success_at, now.last_attempt_at, now.next_attempt_at, now.looked_at);
end $$;
