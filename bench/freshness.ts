import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Bench } from './main.ts';
import { connect, importAll } from './support/connection.ts';
import { round } from './support/median.ts';
import { type Stand, withStand } from './support/stand.ts';

const CHANGES = 150;
const REPOSITORY = 'acme-rockets/flight-control';
/** Apart, as people make them: each wakes a sync of its own. */
const PAUSE_MS = 300;
const LOOK_EVERY_MS = 20;
const GIVE_UP_MS = 60_000;

/** From a change at the source to its row, told by webhook: pushes, pull requests and comments in turn. */
export const bench: Bench = ({ say, scale }) =>
  withStand({ say, simulator: { size: 'tiny' }, environment: { POLL_INTERVAL_MS: '0' } }, async (stand) => {
    const connection = await connect(stand, ['repositories', 'pull_requests']);
    await importAll(connection);
    const { api, integrationId, organizationId } = connection;
    await api.registerWebhooks(integrationId);
    await untilThere('the webhooks are registered', async () => {
      const [row] = await stand.sql<{ n: number }[]>`select count(*)::int as n from webhooks
        where integration_id = ${integrationId} and state = 'active'`;
      return (row?.n ?? 0) > 0;
    });
    const changes = Math.max(6, Math.round(CHANGES * scale));
    const tookMs: number[] = [];
    for (let turn = 0; turn < changes; turn += 1) {
      await sleep(PAUSE_MS);
      const isThere = await change(stand, organizationId, turn);
      const began = performance.now();
      await untilThere(`change ${turn} is there`, isThere);
      tookMs.push(performance.now() - began);
    }
    const sorted = tookMs.toSorted((one, other) => one - other);
    const at = (share: number): number => round(sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN);
    say(`${changes} changes: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`);
    return { p50_ms: at(0.5), p99_ms: at(0.99) };
  });

const results = z.object({ results: z.tuple([z.looseObject({ id: z.number().optional() })]) });

async function mutate(stand: Stand, body: object): Promise<number | undefined> {
  const answer = await fetch(`${stand.simulator}/_simulator/mutations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`The simulator refused a change: ${await answer.text()}`);
  return results.parse(await answer.json()).results[0].id;
}

/** Makes one change at the source; what is given says whether its row is there. */
async function change(stand: Stand, organizationId: string, turn: number): Promise<() => Promise<boolean>> {
  const { sql } = stand;
  const mark = `fresh-${turn}`;
  if (turn % 3 === 0) {
    const commits = [{ message: `${mark}\n`, author: { name: 'Ada', email: 'ada@example.com' } }];
    await mutate(stand, {
      kind: 'git',
      repository: REPOSITORY,
      change: { kind: 'push', branch: mark, commits },
    });
    return async () =>
      (
        await sql`select 1 from branches b join commits c on c.organization_id = b.organization_id
        and c.repository_id = b.repository_id and c.hash = b.target_hash
        where b.organization_id = ${organizationId} and b.name = ${mark}`
      ).length > 0;
  }
  if (turn % 3 === 1) {
    await mutate(stand, { kind: 'pull_request.edit', repository: REPOSITORY, number: 1, title: mark });
    return async () =>
      (await sql`select 1 from pull_requests where organization_id = ${organizationId} and title = ${mark}`)
        .length > 0;
  }
  const id = await mutate(stand, { kind: 'comment.add', repository: REPOSITORY, number: 1, raw: mark });
  return async () =>
    (
      await sql`select 1 from pull_request_comments
      where organization_id = ${organizationId} and comment_id = ${id ?? 0}`
    ).length > 0;
}

async function untilThere(what: string, isThere: () => Promise<boolean>): Promise<void> {
  const endsMs = performance.now() + GIVE_UP_MS;
  while (!(await isThere())) {
    if (performance.now() > endsMs) throw new Error(`It took longer than ${GIVE_UP_MS} ms until ${what}.`);
    await sleep(LOOK_EVERY_MS);
  }
}
