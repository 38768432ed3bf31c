import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RECORD_TABLES } from '../../support/recordTables.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

let situation: Situation;
beforeAll(async () => {
  situation = await createSituation({ size: 'small' });
});
afterAll(() => situation.close());

/** Which transaction wrote each row version: equal before and after means that nothing was written. */
async function rowVersions(): Promise<string[]> {
  const all = await Promise.all(
    RECORD_TABLES.map((table) =>
      situation.rows(sql`select ${table}::text as name, ctid::text as place, xmin::text as writer
        from ${sql.identifier(table)} order by ctid`),
    ),
  );
  return all.flat().map((row) => JSON.stringify(row));
}

async function imported(fullName: string, mode: 'changed' | 'full' = 'changed') {
  const repository = await situation.repository(fullName);
  const input = await situation.startImport(repository, mode);
  const chunks = await situation.importAll(input);
  return { input, chunks };
}

async function again(input: ImportInput, mode: 'changed' | 'full') {
  const next = await situation.startImport(input.repositoryId, mode);
  const chunks = await situation.importAll(next);
  return { input: next, requests: chunks.reduce((sum, chunk) => sum + chunk.requests, 0) };
}

describe('a whole repository', () => {
  let first: Awaited<ReturnType<typeof imported>>;

  test('equals the source, and every stream has stored what it expects', async () => {
    first = await imported('acme-rockets/flight-control');
    expect(await situation.differences()).toBe('');
    const states = await situation.streamStates(first.input);
    expect(states).toHaveLength(6);
    for (const state of states) {
      expect(state).toMatchObject({ state: 'healthy', quarantined: 0 });
      expect(state['stored'], String(state['stream'])).toBe(state['expected']);
      expect(state['stored']).toBeGreaterThan(0);
    }
  });

  test('no chunk makes more than 25 requests', () => {
    expect(first.chunks.length).toBeGreaterThan(2);
    for (const chunk of first.chunks) expect(chunk.requests).toBeLessThanOrEqual(25);
  });

  test('pull requests, activity and comments take about one request a full page', async () => {
    const requests = (await situation.streamStates(first.input))
      .filter(({ stream }) => String(stream).startsWith('pull_request'))
      .reduce((sum, state) => sum + Number(state['requests']), 0);
    // 3 pages of pull requests and 17 of activity; a closing look at each, and another in the closing round
    expect(requests).toBeLessThanOrEqual(24);
  });

  test('the counted requests are those that the host received', async () => {
    const counted = (await situation.streamStates(first.input)).reduce(
      (sum, state) => sum + Number(state['requests']),
      0,
    );
    expect(situation.simulator.journal.since(0)).toHaveLength(counted);
  });

  test('read again in full, nothing changed: not one row version is written', async () => {
    const before = await rowVersions();
    const { input } = await again(first.input, 'full');
    expect(await rowVersions()).toEqual(before);
    for (const state of await situation.streamStates(input)) expect(state['stored']).toBe(state['expected']);
  });

  test('only what changed since: a few requests, nothing written', async () => {
    const before = await rowVersions();
    const { requests, input } = await again(first.input, 'changed');
    expect(requests).toBeLessThanOrEqual(3);
    expect(await rowVersions()).toEqual(before);
    for (const state of await situation.streamStates(input))
      expect(state).toMatchObject({ state: 'healthy' });
  });

  test('a small repository is one activity', async () => {
    const { chunks } = await imported('acme-rockets/blank-slate');
    expect(chunks).toHaveLength(1);
    expect(await situation.differences()).toBe('');
  });

  test('every other repository, an empty and a forked one too', async () => {
    for (const name of ['telemetry', 'launch-scripts', 'secret-sauce'])
      await imported(`acme-rockets/${name}`);
    for (const name of ['shop', 'telemetry-fork', 'service-1']) await imported(`globex/${name}`, 'full');
    expect(await situation.differences()).toBe('');
  });

  test('a repository without an issue tracker: its tickets are unavailable, and say why', async () => {
    const states = await situation.rows(sql`
      select s.stream, s.state, s.last_error ->> 'code' as code from streams s
      join repositories r on r.id = s.repository_id
      where r.full_name = 'globex/telemetry-fork' order by s.stream`);
    expect(states.map((row) => `${String(row['stream'])} ${String(row['state'])}`)).toEqual([
      'pull_request_activity healthy',
      'pull_request_comments healthy',
      'pull_requests healthy',
      'ticket_changes unavailable',
      'ticket_comments unavailable',
      'tickets unavailable',
    ]);
    expect(states.at(-1)?.['code']).toEqual(expect.any(String));
  });
});
