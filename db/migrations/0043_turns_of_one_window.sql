-- Waiters of one window whose turn has come before the time they were told, because room came free that nobody foresaw:
-- marked and given back, so that they are signalled. One that does not come is named again after ten seconds. Each window
-- is a statement of its own: who looks through all of them must not keep the requests of the first waiting for the last.
create function wake_waiting(p_account text, p_group text) returns setof text
language plpgsql set search_path = public, pg_temp as $$
declare
  head request_limits;
  moment timestamptz;
  window_length interval;
  capacity integer;
  is_free boolean := false;
begin
  -- A mark that a crash of Postgres takes back is made again.
  perform set_config('synchronous_commit', 'off', true);
  delete from request_waits
  where account_key = p_account and limit_group = p_group and until < clock_timestamp() - interval '1 minute';
  if exists (
    select from request_waits
    where account_key = p_account and limit_group = p_group and until > clock_timestamp() + interval '1 second'
  ) then
    select * into head from request_limits
    where account_key = p_account and limit_group = p_group for no key update skip locked;
    is_free := found;
  end if;
  moment := clock_timestamp();
  if is_free and (head.blocked_until > moment) is not true then
    window_length := make_interval(secs => head.window_ms / 1000.0);
    capacity := coalesce(head.stated_limit, nullif(head.default_limit, 0));
    return query
      with levels as materialized (
        select consumer, used, has_work from request_levels(p_account, p_group, moment, window_length)
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
        where w.account_key = p_account and w.limit_group = p_group and w.until > moment - request_grace(window_length)
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
      where w.account_key = p_account and w.limit_group = p_group and w.waiter = due.waiter
      returning w.waiter;
  end if;
  return query
    update request_waits w set woken_at = clock_timestamp()
    where w.account_key = p_account and w.limit_group = p_group and w.until <= clock_timestamp()
      and w.woken_at < clock_timestamp() - interval '10 seconds'
    returning w.waiter;
end $$;
--> statement-breakpoint
revoke all on function wake_waiting(text, text) from public;
--> statement-breakpoint
grant execute on function wake_waiting(text, text) to bucket_brigade_worker;
--> statement-breakpoint
drop function wake_waiting();
