import { expect, it } from 'vitest';
import { ask, calls, mark, TOKEN_PATH, useOauthBench } from '../../support/oauthBench.ts';
import type { Simulator } from '../../support/simulator.ts';
import { waitFor } from '../../support/waitFor.ts';

/** A refresh, and what happens to its credential or to Postgres meanwhile. */
const bench = useOauthBench();
const { hosts, engineFor, connected } = bench;

const untilTokenCalls = (host: Simulator, since: number, count: number) =>
  waitFor({
    what: `the token endpoint was called (${String(count)})`,
    read: () => calls(host, since, TOKEN_PATH),
    until: (made) => made === count,
  });

it('a new pair is stored though the connection to Postgres is lost while Bitbucket answers', async () => {
  const host = hosts.strict;
  const engine = engineFor(host);
  const credential = await connected(host);
  const since = mark(host);
  host.faults.set({
    rules: [{ match: { path: TOKEN_PATH }, nth: 1, fault: { kind: 'slow_body', ms: 1_000 } }],
  });
  const asked = ask(engine, credential);
  await untilTokenCalls(host, since, 1);
  const ended = await bench.rows.sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'test refresh' and state = 'idle in transaction'`;
  expect(ended).toHaveLength(1);
  expect((await asked).status).toBe(200);
  expect(calls(host, since, TOKEN_PATH)).toBe(1);
  expect(await bench.rows.credential(credential.credentialId)).toMatchObject({ version: 2 });
});
