-- As before, but who finds out whether a limit still holds keeps the others waiting for a minute at most: the deadline of a git
-- operation is ten, while a refusal comes with its first answer, and one whose worker died never reports.
create or replace function take_request(p_account text, p_group text, p_consumer text, p_goes_first boolean, p_waiter text,
  p_requests integer, p_default_limit integer, p_window_ms integer, p_deadline_ms integer,
  out granted boolean, out observed_at timestamptz, out due_at timestamptz, out probing boolean,
  out why text, out come_at timestamptz, out waited_ms double precision)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  head request_limits;
  window_length constant interval := make_interval(secs => p_window_ms / 1000.0);
  capacity integer;
  total integer;
  lifts integer;
  came timestamptz;
  place integer;
begin
  -- What was taken in the last half second before Postgres itself crashes may be forgotten: a flush for each request
  -- would cost more than the request. The next page that is stored flushes it along.
  perform set_config('synchronous_commit', 'off', true);
  select * into head from request_limits where account_key = p_account and limit_group = p_group for no key update;
  if not found then
    insert into request_limits (account_key, limit_group) values (p_account, p_group) on conflict do nothing;
    select * into head from request_limits where account_key = p_account and limit_group = p_group for no key update;
  end if;
  observed_at := clock_timestamp();
  granted := false;
  probing := false;

  if head.default_limit is distinct from p_default_limit or head.window_ms <> p_window_ms
    or head.swept_at < observed_at - request_bucket(window_length) then
    delete from request_uses
    where account_key = p_account and limit_group = p_group
      and (leaves_at <= observed_at or (requests = 0 and leaves_at <= observed_at + window_length));
    delete from request_waits
    where account_key = p_account and limit_group = p_group and until < observed_at - interval '1 minute';
    update request_limits set default_limit = p_default_limit, window_ms = p_window_ms, swept_at = observed_at
    where account_key = p_account and limit_group = p_group;
  end if;

  capacity := coalesce(head.stated_limit, nullif(p_default_limit, 0));
  if head.blocked_until > observed_at then
    why := case when head.failures > 0 then 'failing' else 'refused' end;
    come_at := head.blocked_until;
  elsif capacity is not null then
    with levels as materialized (
      select consumer, used, has_work from request_levels(p_account, p_group, observed_at, window_length)
    ),
    own as (select coalesce(sum(used) filter (where consumer = p_consumer), 0) as used from levels)
    select coalesce(sum(l.used), 0),
      coalesce(sum(greatest(0, own.used + p_requests - 1 - l.used))
        filter (where l.has_work and l.consumer <> p_consumer), 0)
    into total, lifts
    from own left join levels l on true;
    if p_goes_first then
      granted := total + p_requests <= capacity;
    else
      granted := total + p_requests + lifts <= capacity - request_reserve(capacity);
    end if;
    if not granted then why := 'used_up'; end if;
  end if;

  if why is null then
    granted := true;
    due_at := request_leaves_at(observed_at + make_interval(secs => p_deadline_ms / 1000.0), window_length);
    insert into request_uses as u (account_key, limit_group, leaves_at, consumer, requests)
    values (p_account, p_group, due_at, p_consumer, p_requests)
    on conflict (account_key, limit_group, leaves_at, consumer) do update set requests = u.requests + excluded.requests;
    if head.refusals > 0 then
      -- Behind a refusal one request at a time finds out whether the limit still holds.
      probing := true;
      update request_limits set blocked_until = observed_at + make_interval(secs => least(p_deadline_ms, 60000) / 1000.0)
      where account_key = p_account and limit_group = p_group;
    end if;
    if p_waiter is not null then
      delete from request_waits
      where account_key = p_account and limit_group = p_group and waiter = p_waiter returning since into came;
      waited_ms := extract(epoch from observed_at - came) * 1000;
    end if;
    return;
  end if;

  select since into came from request_waits
  where account_key = p_account and limit_group = p_group and waiter = p_waiter;
  came := coalesce(came, observed_at);
  if why = 'used_up' then
    select 1 + count(*) into place from request_waits
    where account_key = p_account and limit_group = p_group and consumer = p_consumer
      and waiter is distinct from p_waiter and since < came and until > observed_at - request_grace(window_length);
    come_at := request_turn(p_account, p_group, p_consumer, p_goes_first, place, p_requests, capacity, observed_at,
      window_length);
  end if;
  if p_waiter is not null then
    insert into request_waits as w (account_key, limit_group, waiter, consumer, since, until)
    values (p_account, p_group, p_waiter, p_consumer, came, come_at)
    on conflict (account_key, limit_group, waiter)
    do update set consumer = excluded.consumer, until = excluded.until, woken_at = null;
  end if;
end $$;
