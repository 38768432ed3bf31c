ALTER TABLE "request_limits" ADD COLUMN "failures" integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
-- Takes requests from the window before they are sent, or says when to come back. Everything happens under the lock of
-- the window's row, each statement with a snapshot taken behind it.
--
-- An import's request goes while behind it there is still room for the other imports that have work to draw level
-- with it: so all use what is there, none waits for one that has nothing to ask, and at the end all have the same.
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
      update request_limits set blocked_until = observed_at + make_interval(secs => p_deadline_ms / 1000.0)
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
--> statement-breakpoint
-- Notes what became of requests that were taken. `unsent`: they never left, and are given back. From now on they leave
-- the window one window's length behind their answer instead of behind their deadline.
--
-- Bitbucket's word is believed over ours: a 429 blocks until its time (without one the wait doubles from a minute to an
-- hour; refusals of requests that were taken before the last one was noted are part of the same event); the limit that
-- an answer states replaces ours; what it counted beyond our own requests was used elsewhere.
--
-- Where five requests in a row failed, whoever sent them, the host is down: one at a time finds out whether it is back,
-- behind a wait that doubles from a minute to five.
create or replace function answer_request(p_account text, p_group text, p_consumer text, p_waiter text, p_requests integer,
  p_observed_at timestamptz, p_due_at timestamptz, p_outcome text, p_probing boolean, p_wait_seconds integer,
  p_stated_limit integer, p_remaining integer, p_near_limit boolean)
returns timestamptz
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  head request_limits;
  moment timestamptz;
  window_length interval;
  now_at timestamptz;
  come_at timestamptz;
begin
  perform set_config('synchronous_commit', 'off', true);
  select * into head from request_limits where account_key = p_account and limit_group = p_group for no key update;
  if not found then return null; end if;
  moment := clock_timestamp();
  window_length := make_interval(secs => head.window_ms / 1000.0);
  now_at := request_leaves_at(moment, window_length);

  update request_uses set requests = requests - p_requests
  where account_key = p_account and limit_group = p_group and leaves_at = p_due_at and consumer = p_consumer
    and requests >= p_requests;
  if found and p_outcome <> 'unsent' then
    insert into request_uses as u (account_key, limit_group, leaves_at, consumer, requests)
    values (p_account, p_group, now_at, p_consumer, p_requests)
    on conflict (account_key, limit_group, leaves_at, consumer) do update set requests = u.requests + excluded.requests;
  end if;

  if p_stated_limit is not null or p_remaining is not null or p_near_limit is not null then
    if p_observed_at >= coalesce(head.stated_at, '-infinity') then
      perform correct_window(head, moment, now_at, p_observed_at, p_stated_limit, p_remaining, p_near_limit);
    else
      -- It was under way when a later one was answered, and seemed to have been made elsewhere.
      update request_uses set requests = greatest(0, requests - p_requests)
      where account_key = p_account and limit_group = p_group and consumer = 'elsewhere' and leaves_at > moment;
    end if;
  end if;

  if p_outcome = 'refused' then
    update request_limits set
      blocked_until = case
        when refusals > 0 and updated_at > p_observed_at
          then greatest(blocked_until, moment + make_interval(secs => coalesce(p_wait_seconds, 0)))
        else moment + make_interval(
          secs => coalesce(p_wait_seconds, least(3600, 60 * power(2, least(refusals, 6)))::integer))
      end,
      refusals = case
        when refusals > 0 and updated_at > p_observed_at then refusals
        when p_wait_seconds is null then refusals + 1
        else greatest(refusals, 1)
      end,
      failures = 0,
      updated_at = moment
    where account_key = p_account and limit_group = p_group
    returning blocked_until into come_at;
    if p_waiter is not null then
      insert into request_waits as w (account_key, limit_group, waiter, consumer, since, until)
      values (p_account, p_group, p_waiter, p_consumer, moment, come_at)
      on conflict (account_key, limit_group, waiter)
      do update set consumer = excluded.consumer, until = excluded.until, woken_at = null;
    end if;
    return come_at;
  end if;
  if p_outcome = 'failed' then
    -- Five in a row: not this request, the host. Those under way meanwhile are part of the same event.
    if head.failures > 0 and head.refusals > 0 and head.updated_at > p_observed_at then return null; end if;
    update request_limits set
      failures = failures + 1,
      blocked_until = case when failures >= 4
        then moment + make_interval(secs => least(300, 60 * power(2, least(failures - 4, 3)))::integer)
        else blocked_until end,
      refusals = case when failures >= 4 then greatest(refusals, 1) else refusals end,
      updated_at = case when failures >= 4 then moment else updated_at end
    where account_key = p_account and limit_group = p_group;
    return null;
  end if;
  if p_outcome = 'answered' and head.failures > 0 then
    update request_limits set failures = 0 where account_key = p_account and limit_group = p_group;
  end if;
  if p_probing and head.updated_at <= p_observed_at then
    -- The probe got through, and nobody was refused since it was taken. One that never left ends only its own turn.
    update request_limits set
      blocked_until = case when p_outcome = 'unsent' then moment end,
      refusals = case when p_outcome = 'unsent' then refusals else 0 end,
      updated_at = case when p_outcome = 'unsent' then updated_at else moment end
    where account_key = p_account and limit_group = p_group;
  end if;
  return null;
end $$;
