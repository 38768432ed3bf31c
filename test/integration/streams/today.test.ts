import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSituation, type Situation } from './situation.ts';

let situation: Situation;
beforeAll(async () => {
  situation = await createSituation({ size: 'small', era: 'today' });
});
afterAll(() => situation.close());

test("today's host has no tickets any more: said once, and everything else is imported", async () => {
  const input = await situation.startImport(await situation.repository('acme-rockets/launch-scripts'));
  // A long walk, so that a closing round follows, which must not ask for them either.
  await situation.chunk(input, { limits: { requests: 3 } });
  situation.simulator.clock.advance(5 * 60_000);
  const chunks = await situation.importAll(input, { limits: { requests: 3 } });
  expect(chunks.at(-1)?.done).toBe(true);
  expect(await situation.differences()).toBe('');
  const asked = situation.simulator.journal.since(0).filter(({ path }) => path.includes('/issues'));
  expect(asked).toHaveLength(1);
  const states = await situation.rows(sql`
    select stream, state, last_error is not null as said from import_streams
    where import_id = ${input.importId} and stream like 'ticket%' order by stream`);
  expect(states.map((row) => ({ ...row }))).toEqual(
    ['ticket_changes', 'ticket_comments', 'tickets'].map((stream) => ({
      stream,
      state: 'unavailable',
      said: true,
    })),
  );
});
