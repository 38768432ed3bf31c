CREATE TABLE "request_uses" (
	"account_key" text NOT NULL,
	"limit_group" text NOT NULL,
	"leaves_at" timestamptz(6) NOT NULL,
	"consumer" text NOT NULL,
	"requests" integer NOT NULL,
	CONSTRAINT "request_uses_account_key_limit_group_leaves_at_consumer_pk" PRIMARY KEY("account_key","limit_group","leaves_at","consumer")
);
--> statement-breakpoint
CREATE TABLE "request_waits" (
	"account_key" text NOT NULL,
	"limit_group" text NOT NULL,
	"waiter" text NOT NULL,
	"consumer" text NOT NULL,
	"since" timestamptz(6) NOT NULL,
	"until" timestamptz(6) NOT NULL,
	"woken_at" timestamptz(6),
	CONSTRAINT "request_waits_account_key_limit_group_waiter_pk" PRIMARY KEY("account_key","limit_group","waiter")
);
--> statement-breakpoint
ALTER TABLE "request_limits" ADD COLUMN "default_limit" integer;--> statement-breakpoint
ALTER TABLE "request_limits" ADD COLUMN "stated_limit" integer;--> statement-breakpoint
ALTER TABLE "request_limits" ADD COLUMN "stated_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "request_limits" ADD COLUMN "window_ms" integer DEFAULT 3600000 NOT NULL;--> statement-breakpoint
ALTER TABLE "request_limits" ADD COLUMN "swept_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL;--> statement-breakpoint
CREATE INDEX "request_waits_of_waiter" ON "request_waits" USING btree ("waiter");--> statement-breakpoint
CREATE INDEX "request_waits_of_consumer" ON "request_waits" USING btree ("consumer");
--> statement-breakpoint
-- Counters that change with every request: room on each page keeps their updates off the index.
alter table request_uses set (fillfactor = 50);
--> statement-breakpoint
grant select, insert, update, delete on request_uses, request_waits to bucket_brigade_worker;
--> statement-breakpoint
grant select on request_limits, request_uses to bucket_brigade_api;
--> statement-breakpoint
-- A window of any length is cut into 360 buckets: ten seconds of an hour.
create function request_bucket(window_length interval) returns interval
language sql immutable as $$ select window_length / 360 $$;
--> statement-breakpoint
-- An import has work while it asks or waits. It is given this long to come with its next request.
create function request_grace(window_length interval) returns interval
language sql immutable as $$ select greatest(window_length / 360, interval '5 seconds') $$;
--> statement-breakpoint
-- What is kept back for live syncs and connection checks: 3 %.
create function request_reserve(capacity integer) returns integer
language sql immutable as $$ select ceil(capacity * 0.03)::integer $$;
--> statement-breakpoint
-- When a request that is answered (or at its deadline) at `moment` leaves the window: at the end of a bucket.
create function request_leaves_at(moment timestamptz, window_length interval) returns timestamptz
language sql immutable as $$
  select date_bin(window_length / 360, moment, timestamptz '2000-01-01 00:00:00+00') + window_length / 360 + window_length
$$;
--> statement-breakpoint
-- Who has how many requests in the window, and who of them has work now. `live` and `elsewhere` share with nobody.
create function request_levels(account text, grp text, moment timestamptz, window_length interval)
returns table (consumer text, used integer, has_work boolean)
language sql stable as $$
  select coalesce(u.consumer, w.consumer), coalesce(u.used, 0)::integer,
    coalesce(u.consumer, w.consumer) not in ('live', 'elsewhere')
      and (w.consumer is not null or u.newest > moment + window_length - request_grace(window_length))
  from (
    select consumer, sum(requests) as used, max(leaves_at) filter (where requests > 0) as newest
    from request_uses
    where account_key = account and limit_group = grp and leaves_at > moment
    group by consumer
  ) u
  full join (
    select distinct consumer from request_waits
    where account_key = account and limit_group = grp and until > moment - request_grace(window_length)
  ) w on w.consumer = u.consumer
$$;
--> statement-breakpoint
-- How many requests a waiter should find when it is woken: few, so that little lies idle until then (3 % at most, over
-- all who wait), but not one by one.
create function request_batch(capacity integer, consumers integer) returns integer
language sql immutable as $$
  select greatest(1, least(25, ceil(capacity * 0.03 / greatest(1, consumers))))::integer
$$;
--> statement-breakpoint
-- When the waiter that is `place`th among those of its consumer may expect its turn: at the first bucket's end behind
-- which there is room for all of them, and for the other imports with work to draw level with them.
create function request_turn(account text, grp text, asking text, goes_first boolean, place integer, wanted integer,
  capacity integer, moment timestamptz, window_length interval)
returns timestamptz
language sql stable as $$
  with others as materialized (
    select consumer from request_levels(account, grp, moment, window_length)
    where has_work and consumer <> asking and not goes_first
  ),
  aim as materialized (
    select case when goes_first then wanted
      else greatest(wanted, least(place * request_batch(room, parties), room / parties)) end as requests, room
    from (
      select case when goes_first then capacity else capacity - request_reserve(capacity) end as room,
        1 + (select count(*) from others)::integer as parties
    ) given
  ),
  uses as materialized (
    select leaves_at, consumer, requests from request_uses
    where account_key = account and limit_group = grp and leaves_at > moment and requests > 0
  ),
  ends as (
    select leaves_at, (select sum(requests) from uses) - sum(sum(requests)) over (order by leaves_at) as used
    from uses group by leaves_at
  ),
  levels as (
    select e.leaves_at, p.consumer,
      coalesce((select sum(requests) from uses where consumer = p.consumer), 0)
        - coalesce(sum(u.requests) over (partition by p.consumer order by e.leaves_at), 0) as used
    from ends e
    cross join (select consumer from others union all select asking) p
    left join uses u on u.leaves_at = e.leaves_at and u.consumer = p.consumer
  ),
  demands as (
    select l.leaves_at, sum(greatest(0, own.used + a.requests - l.used)) as requests
    from levels l
    join levels own on own.leaves_at = l.leaves_at and own.consumer = asking
    cross join aim a
    group by l.leaves_at
  )
  select coalesce(
    (select min(e.leaves_at) from ends e join demands d on d.leaves_at = e.leaves_at cross join aim a
      where a.room - e.used >= d.requests),
    (select max(leaves_at) from ends),
    moment + request_bucket(window_length))
$$;
--> statement-breakpoint
-- Takes requests from the window before they are sent, or says when to come back. Everything happens under the lock of
-- the window's row, each statement with a snapshot taken behind it.
--
-- An import's request goes while behind it there is still room for the other imports that have work to draw level
-- with it: so all use what is there, none waits for one that has nothing to ask, and at the end all have the same.
create function take_request(p_account text, p_group text, p_consumer text, p_goes_first boolean, p_waiter text,
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
    why := 'refused';
    come_at := head.blocked_until;
  elsif capacity is not null then
    with levels as materialized (
      select consumer, used, has_work from request_levels(p_account, p_group, observed_at, window_length)
    ),
    own as (select coalesce(sum(used) filter (where consumer = p_consumer), 0) as used from levels)
    select coalesce(sum(l.used), 0),
      coalesce(sum(greatest(0, own.used - l.used)) filter (where l.has_work and l.consumer <> p_consumer), 0)
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
create function answer_request(p_account text, p_group text, p_consumer text, p_waiter text, p_requests integer,
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
--> statement-breakpoint
-- Bitbucket's count, from the headers of an answer: what goes beyond our answered requests was made elsewhere. Requests
-- of ours that are under way may be in it; each takes itself out again when its own answer comes.
create function correct_window(head request_limits, moment timestamptz, now_at timestamptz, p_observed_at timestamptz,
  p_stated_limit integer, p_remaining integer, p_near_limit boolean)
returns void
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  capacity constant integer := coalesce(p_stated_limit, head.stated_limit, nullif(head.default_limit, 0));
  answered integer;
  before integer;
  elsewhere integer;
begin
  update request_limits set stated_limit = coalesce(p_stated_limit, stated_limit), stated_at = p_observed_at
  where account_key = head.account_key and limit_group = head.limit_group;
  if capacity is null then return; end if;
  select coalesce(sum(requests) filter (where consumer <> 'elsewhere' and leaves_at <= now_at), 0),
    coalesce(sum(requests) filter (where consumer = 'elsewhere'), 0)
  into answered, before
  from request_uses
  where account_key = head.account_key and limit_group = head.limit_group and leaves_at > moment;
  elsewhere := before;
  if p_remaining is not null then elsewhere := capacity - p_remaining - answered; end if;
  -- "Near" says that less than a fifth is left.
  if p_near_limit then elsewhere := greatest(elsewhere, capacity - capacity / 5 - answered); end if;
  if not p_near_limit then elsewhere := least(elsewhere, capacity - capacity / 5 - answered); end if;
  elsewhere := greatest(0, elsewhere);
  if elsewhere = before then return; end if;
  delete from request_uses
  where account_key = head.account_key and limit_group = head.limit_group and consumer = 'elsewhere';
  if elsewhere = 0 then return; end if;
  insert into request_uses (account_key, limit_group, leaves_at, consumer, requests)
  values (head.account_key, head.limit_group, now_at, 'elsewhere', elsewhere);
end $$;
--> statement-breakpoint
-- Waiters whose turn has come before the time they were told, because room came free that nobody foresaw: marked and
-- given back, so that they are signalled. One that does not come is named again after ten seconds.
create function wake_waiting() returns table (waiter text)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  one record;
  head request_limits;
  moment timestamptz;
  window_length interval;
  capacity integer;
begin
  for one in
    select distinct account_key, limit_group from request_waits
    where until > clock_timestamp() + interval '1 second'
    order by account_key, limit_group
  loop
    select * into head from request_limits l
    where l.account_key = one.account_key and l.limit_group = one.limit_group for no key update skip locked;
    moment := clock_timestamp();
    continue when not found or head.blocked_until > moment;
    window_length := make_interval(secs => head.window_ms / 1000.0);
    capacity := coalesce(head.stated_limit, nullif(head.default_limit, 0));
    with levels as materialized (
      select consumer, used, has_work from request_levels(head.account_key, head.limit_group, moment, window_length)
    ),
    given as materialized (
      select capacity - request_reserve(capacity) - coalesce(sum(used), 0) as room,
        request_batch(capacity, count(*) filter (where has_work)::integer) as batch,
        (capacity - request_reserve(capacity)) / greatest(1, count(*) filter (where has_work)) as share
      from levels
    ),
    queue as (
      select w.waiter, w.consumer, w.until, row_number() over (partition by w.consumer order by w.since) as place
      from request_waits w
      where w.account_key = head.account_key and w.limit_group = head.limit_group
        and w.until > moment - request_grace(window_length)
    ),
    due as (
      select q.waiter from queue q
      join levels own on own.consumer = q.consumer
      cross join given g
      where q.until > moment + interval '1 second'
        and case
          when capacity is null then true
          -- behind a refusal: one
          when head.refusals > 0 then q.waiter = (select min(waiter) from queue)
          when q.consumer = 'live' then capacity - (select sum(used) from levels) > 0
          else g.room >= (
            select sum(greatest(0, own.used + least(q.place * g.batch, greatest(1, g.share)) - l.used))
            from levels l where l.has_work or l.consumer = q.consumer)
        end
    )
    update request_waits w set until = moment, woken_at = moment
    from due
    where w.account_key = head.account_key and w.limit_group = head.limit_group and w.waiter = due.waiter;
  end loop;
  delete from request_waits where until < clock_timestamp() - interval '1 minute';
  return query
    update request_waits w set woken_at = clock_timestamp()
    where w.woken_at is not null and w.until <= clock_timestamp()
      and (w.woken_at >= transaction_timestamp() or w.woken_at < clock_timestamp() - interval '10 seconds')
    returning w.waiter;
end $$;
--> statement-breakpoint
-- The requests of a credential's first check were counted by the credential: now its account is known, and it may have
-- others that count for it too.
create function merge_windows(p_from text, p_to text) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  head request_limits;
begin
  for head in
    select * from request_limits where account_key = p_from order by limit_group for update
  loop
    insert into request_limits (account_key, limit_group, default_limit, window_ms)
    values (p_to, head.limit_group, head.default_limit, head.window_ms) on conflict do nothing;
    update request_limits l set
      blocked_until = greatest(l.blocked_until, head.blocked_until),
      refusals = greatest(l.refusals, head.refusals)
    where l.account_key = p_to and l.limit_group = head.limit_group;
    insert into request_uses as u (account_key, limit_group, leaves_at, consumer, requests)
    select p_to, limit_group, leaves_at, consumer, requests from request_uses
    where account_key = p_from and limit_group = head.limit_group
    on conflict (account_key, limit_group, leaves_at, consumer) do update set requests = u.requests + excluded.requests;
  end loop;
  delete from request_uses where account_key = p_from;
  delete from request_limits where account_key = p_from;
end $$;
--> statement-breakpoint
revoke all on function
  take_request(text, text, text, boolean, text, integer, integer, integer, integer),
  answer_request(text, text, text, text, integer, timestamptz, timestamptz, text, boolean, integer, integer, integer, boolean),
  correct_window(request_limits, timestamptz, timestamptz, timestamptz, integer, integer, boolean),
  wake_waiting(), merge_windows(text, text)
  from public;
--> statement-breakpoint
grant execute on function
  take_request(text, text, text, boolean, text, integer, integer, integer, integer),
  answer_request(text, text, text, text, integer, timestamptz, timestamptz, text, boolean, integer, integer, integer, boolean),
  correct_window(request_limits, timestamptz, timestamptz, timestamptz, integer, integer, boolean),
  wake_waiting(), merge_windows(text, text)
  to bucket_brigade_worker;
