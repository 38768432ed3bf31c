import fc from 'fast-check';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EventPlace, listEvents } from '../../db/queries/api/events.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTenant, type TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';

const WRITERS = 3;

let testDatabase: TestDatabase;
let reader: Database;
let sql: postgres.Sql;
let writers: postgres.Sql[];
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  sql = postgres(testDatabase.superuserUrl, { max: 1, onnotice: () => {} });
  writers = Array.from({ length: WRITERS }, () =>
    postgres(testDatabase.workerUrl, { max: 1, onnotice: () => {} }),
  );
  reader = createDatabase({ url: testDatabase.apiUrl, maxConnections: 1, applicationName: 'reader' });
});
afterAll(async () => {
  await Promise.all([reader.end(), sql.end(), ...writers.map((writer) => writer.end())]);
  await testDatabase.drop();
});

/** Reads on from where it stands, as a follower of the feed does. */
function createFollower({ organizationId }: TestTenant) {
  let after: EventPlace | null = null;
  const seen: string[] = [];
  return {
    seen,
    async read(limit = 2): Promise<string[]> {
      const rows = await reader.transaction(organizationId, (tx) =>
        listEvents(tx, { after, integrationId: undefined, type: undefined, limit }),
      );
      after = rows.at(-1) ?? after;
      seen.push(...rows.map(({ type }) => type));
      return rows.map(({ type }) => type);
    },
  };
}

const begin = async (writer: postgres.Sql, { organizationId }: TestTenant): Promise<void> => {
  await writer.unsafe('begin');
  await writer`select set_config('app.organization', ${organizationId}, true)`;
};
const write = (writer: postgres.Sql, { organizationId }: TestTenant, type: string) =>
  writer`insert into events (organization_id, type) values (${organizationId}, ${type})`;

/** Other files' transactions in the same server hold the horizon back for a moment. */
const untilSeen = (follower: ReturnType<typeof createFollower>, count: number) =>
  waitFor({
    what: `${count} events are seen`,
    read: async () => {
      await follower.read(100);
      return follower.seen;
    },
    until: (seen) => seen.length >= count,
  });

test('an event whose transaction commits late is not passed over by those behind it', async () => {
  const tenant = await createTenant(sql);
  const follower = createFollower(tenant);
  const [slow, quick] = [writers[0]!, writers[1]!];
  await begin(slow, tenant);
  await write(slow, tenant, 'slow');
  await begin(quick, tenant);
  await write(quick, tenant, 'quick');
  await quick.unsafe('commit');
  // It has committed, and has the higher id: whoever took it now would go on behind the other.
  expect(await follower.read()).toEqual([]);
  await slow.unsafe('commit');
  expect(await untilSeen(follower, 2)).toEqual(['slow', 'quick']);
});

type Step = { do: 'write' | 'commit' | 'rollback'; writer: number } | { do: 'read'; limit: number };
const anyWriter = fc.nat({ max: WRITERS - 1 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('write' as const), writer: anyWriter }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('commit' as const), writer: anyWriter }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rollback' as const), writer: anyWriter }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('read' as const), limit: fc.integer({ min: 1, max: 5 }) }),
  },
);

test('however transactions interleave, a follower sees what was committed, each once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 40 }), async (steps) => {
      const tenant = await createTenant(sql);
      const follower = createFollower(tenant);
      const open = new Map<number, string[]>();
      const committed: string[] = [];
      const end = async (writer: number, how: 'commit' | 'rollback') => {
        const written = open.get(writer);
        if (written === undefined) return;
        await writers[writer]!.unsafe(how);
        if (how === 'commit') committed.push(...written);
        open.delete(writer);
      };
      let number = 0;
      for (const step of steps) {
        if (step.do === 'read') {
          await follower.read(step.limit);
        } else if (step.do === 'write') {
          if (!open.has(step.writer)) await begin(writers[step.writer]!, tenant);
          number += 1;
          await write(writers[step.writer]!, tenant, `e${number}`);
          open.set(step.writer, [...(open.get(step.writer) ?? []), `e${number}`]);
        } else {
          await end(step.writer, step.do);
        }
      }
      for (const left of open.keys()) await end(left, 'commit');
      await untilSeen(follower, committed.length);
      expect(follower.seen.toSorted()).toEqual(committed.toSorted());
      expect(await follower.read(100)).toEqual([]);
    }),
    { numRuns: 40, endOnFailure: true },
  );
}, 60_000);

test('the feed is append only, and each organization sees its own', async () => {
  const [one, other] = [await createTenant(sql), await createTenant(sql)];
  await begin(writers[0]!, one);
  await write(writers[0]!, one, 'mine');
  await writers[0]!.unsafe('commit');
  await untilSeen(createFollower(one), 1);
  expect(await createFollower(other).read()).toEqual([]);
  for (const statement of ['delete from events', "update events set type = 'nothing'"]) {
    await begin(writers[0]!, one);
    await expect(writers[0]!.unsafe(statement)).rejects.toMatchObject({ code: '42501' });
    await writers[0]!.unsafe('rollback');
  }
});
