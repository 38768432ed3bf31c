-- It is given arrays, and a plan made for the arrays of one call always looks cheaper than one for any: so Postgres made a new
-- one with each call, which took most of its time. All ways go by an index, however many there are.
alter function look_at_health(uuid[], uuid[]) set plan_cache_mode = force_generic_plan;
