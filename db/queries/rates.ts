import { type SQL, sql } from 'drizzle-orm';

/**
 * Rates of a stream over the last minute, from two windows of a minute each in its row: the one in hand, and the one
 * before, which counts for the part that the last minute reaches back into it. Written with the page, so they cost no
 * statement and survive whatever the rows survive.
 */
const WINDOW = sql`interval '1 minute'`;

/** The assignments of an upsert (`i`: the row, `excluded`: what this page adds) that move the windows on. */
export const slideWindow = sql`
      window_at = case when i.window_at > now() - ${WINDOW} then i.window_at else now() end,
      window_records = excluded.window_records
        + case when i.window_at > now() - ${WINDOW} then i.window_records else 0 end,
      window_requests = excluded.window_requests
        + case when i.window_at > now() - ${WINDOW} then i.window_requests else 0 end,
      before_records = case when i.window_at > now() - ${WINDOW} then i.before_records
        when i.window_at > now() - 2 * ${WINDOW} then i.window_records else 0 end,
      before_requests = case when i.window_at > now() - ${WINDOW} then i.before_requests
        when i.window_at > now() - 2 * ${WINDOW} then i.window_requests else 0 end`;

/** Per second over the last minute (less where the stream is younger), of a row `s` of `import_streams`; 0 when nothing came. */
export const rateOf = (counter: 'records' | 'requests'): SQL => {
  const current = sql.raw(`s.window_${counter}`);
  const before = sql.raw(`s.before_${counter}`);
  // Read for every stream of thousands of repositories: what did not move costs a comparison, and floats, not numerics.
  const seconds = sql`extract(epoch from now() - s.window_at)::float8`;
  return sql`coalesce(case
      when ${current} + ${before} = 0 or s.window_at <= now() - 2 * ${WINDOW} then 0
      when s.window_at <= now() - ${WINDOW} then ${current} * (2 - ${seconds} / 60)
      else ${current} + ${before} * (1 - ${seconds} / 60)
    end / least(60, greatest(1, extract(epoch from now() - s.started_at)::float8)), 0)::float8`;
};
