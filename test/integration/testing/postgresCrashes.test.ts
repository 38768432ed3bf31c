import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startPostgres } from '../../../scripts/servers/embeddedPostgres.ts';
import { tellCrashes } from '../../../scripts/testing/postgresCrashes.ts';
import { waitFor } from '../../support/waitFor.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crashes-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a process of Postgres that crashes is told with its query; nothing else that Postgres says', async () => {
  const told: string[] = [];
  const lines: string[] = [];
  const tell = tellCrashes((message) => told.push(message));
  const log = (line: string): void => {
    lines.push(line);
    tell(line);
  };
  const server = await startPostgres({ folder: join(folder, 'postgres'), persistent: false, log });
  const open = () => postgres(server.url, { max: 1, onnotice: () => {} });
  const [sql, other] = [open(), open()];
  await expect(sql`select no_such_column`).rejects.toThrow('no_such_column');
  const query = sql`select pg_sleep(600) as "the query
    that crashed"`.execute();
  const refusal = query.catch((error: unknown) => error);
  const [row] = await waitFor({
    what: 'the query runs',
    read: () => other<{ pid: number }[]>`select pid from pg_stat_activity where wait_event = 'PgSleep'`,
    until: ({ length }) => length === 1,
  });
  await other.end();
  const pid = row?.pid ?? Number.NaN;
  process.kill(pid, 'SIGSEGV');
  expect(await refusal).toMatchObject({ code: 'CONNECTION_CLOSED' });
  await waitFor({
    what: 'Postgres serves again',
    read: () => lines.filter((line) => line.includes('ready to accept connections')).length,
    until: (times) => times === 2,
  });
  // It would wait for its connection that is gone.
  await sql.end({ timeout: 1 });
  await server.stop();
  expect(lines.length).toBeGreaterThan(told.length);
  expect(told).toEqual([
    expect.stringMatching(new RegExp(`^Postgres: .*\\(PID ${String(pid)}\\) was terminated by signal 11`)),
    expect.stringContaining('DETAIL:  Failed process was running: select pg_sleep(600) as "the query'),
    expect.stringContaining('that crashed"'),
  ]);
});
