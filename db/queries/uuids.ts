import { sql, type SQL } from 'drizzle-orm';

/** A list of our ids as one parameter. */
export const uuids = (ids: readonly string[]): SQL => sql`${`{${ids.join(',')}}`}::uuid[]`;
