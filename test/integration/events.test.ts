import fc from 'fast-check';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EventPlace, listEvents } from '../../db/queries/api/events.ts';
import { findImportEvent, readImportEvents } from '../../db/queries/api/importEvents.ts';
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

/** What happened, told in order to whoever asks for what is new: in an organization, or in one import of it. */
interface Feed {
  write(writer: postgres.Sql, type: string): Promise<unknown>;
  /** Reads on from where it stands, as a follower of the feed does. */
  follow(): Follower;
}
interface Follower {
  readonly seen: string[];
  read(limit?: number): Promise<string[]>;
}

const followerOf = (next: (limit: number) => Promise<{ type: string }[]>): Follower => {
  const seen: string[] = [];
  return {
    seen,
    async read(limit = 2) {
      const types = (await next(limit)).map(({ type }) => type);
      seen.push(...types);
      return types;
    },
  };
};

const feedOfOrganization = async ({ organizationId }: TestTenant): Promise<Feed> => ({
  write: (writer, type) =>
    writer`insert into events (organization_id, type) values (${organizationId}, ${type})`,
  follow() {
    let after: EventPlace | null = null;
    return followerOf(async (limit) => {
      const filter = { after, integrationId: undefined, type: undefined, limit };
      const rows = await reader.transaction(organizationId, (tx) => listEvents(tx, filter));
      after = rows.at(-1) ?? after;
      return rows;
    });
  },
});

/** Its follower comes back for each look, with nothing but the number of the last event it saw. */
async function feedOfImport(tenant: TestTenant): Promise<Feed> {
  const { organizationId } = tenant;
  const importId = await tenant.storeImport({ all: true });
  return {
    write: (writer, type) =>
      writer`insert into import_events (organization_id, import_id, type) values (${organizationId}, ${importId}, ${type})`,
    follow() {
      let ordinal = 0;
      return followerOf((limit) =>
        reader.transaction(organizationId, async (tx) => {
          const after = ordinal === 0 ? null : await findImportEvent(tx, { importId, ordinal });
          const { events } = await readImportEvents(tx, { importId, after, limit });
          expect(events.map((event) => event.ordinal)).toEqual(events.map((_, index) => ordinal + index + 1));
          ordinal += events.length;
          return events;
        }),
      );
    },
  };
}

const begin = async (writer: postgres.Sql, { organizationId }: TestTenant): Promise<void> => {
  await writer.unsafe('begin');
  await writer`select set_config('app.organization', ${organizationId}, true)`;
};

/** Other files' transactions in the same server hold the horizon back for a moment. */
const untilSeen = (follower: Follower, count: number) =>
  waitFor({
    what: `${count} events are seen`,
    read: async () => {
      await follower.read(100);
      return follower.seen;
    },
    until: (seen) => seen.length >= count,
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

describe.each([
  { of: 'an organization', feedOf: feedOfOrganization },
  { of: 'an import', feedOf: feedOfImport },
])('an event of $of', ({ feedOf }) => {
  test('whose transaction commits late is not passed over by those behind it', async () => {
    const tenant = await createTenant(sql);
    const feed = await feedOf(tenant);
    const follower = feed.follow();
    const [slow, quick] = [writers[0]!, writers[1]!];
    await begin(slow, tenant);
    await feed.write(slow, 'slow');
    await begin(quick, tenant);
    await feed.write(quick, 'quick');
    await quick.unsafe('commit');
    // It has committed, and has the higher id: whoever took it now would go on behind the other.
    expect(await follower.read()).toEqual([]);
    await slow.unsafe('commit');
    expect(await untilSeen(follower, 2)).toEqual(['slow', 'quick']);
  });

  test('is seen by a follower once it is committed, each once, however transactions interleave', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 40 }), async (steps) => {
        const tenant = await createTenant(sql);
        const feed = await feedOf(tenant);
        const follower = feed.follow();
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
            await feed.write(writers[step.writer]!, `e${number}`);
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
});

test('the feed is append only, and each organization sees its own', async () => {
  const [one, other] = [await createTenant(sql), await createTenant(sql)];
  const feed = await feedOfOrganization(one);
  await begin(writers[0]!, one);
  await feed.write(writers[0]!, 'mine');
  await writers[0]!.unsafe('commit');
  await untilSeen(feed.follow(), 1);
  expect(await (await feedOfOrganization(other)).follow().read()).toEqual([]);
  for (const statement of ['delete from events', "update events set type = 'nothing'"]) {
    await begin(writers[0]!, one);
    await expect(writers[0]!.unsafe(statement)).rejects.toMatchObject({ code: '42501' });
    await writers[0]!.unsafe('rollback');
  }
});
