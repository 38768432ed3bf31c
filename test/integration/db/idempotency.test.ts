import { expect, test } from 'vitest';
import {
  claimIdempotencyKey,
  keepIdempotentAnswer,
  loosenIdempotencyKey,
  releaseIdempotencyKey,
} from '../../../db/queries/api/idempotency.ts';
import { keyedId } from '../../../api/keyedId.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';

const bench = useDatabaseBench({ role: 'api' });

test('a request that lost its claim to a repetition neither releases nor answers it', async () => {
  const { organizationId } = await bench.tenant();
  const request = { organizationId, key: 'key', operation: 'POST /', fingerprint: Buffer.from('same') };
  const claim = () => bench.database.transaction(organizationId, (tx) => claimIdempotencyKey(tx, request));
  const slow = await claim();
  await bench.sql`update idempotency_keys set created_at = created_at - interval '2 minutes'`;
  const again = await claim();
  if (slow.state !== 'claimed' || again.state !== 'claimed') throw new Error('both must have been claimed');
  const answer = (body: string) => ({ headers: {}, body });
  await bench.database.transaction(organizationId, async (tx) => {
    await releaseIdempotencyKey(tx, { key: 'key', since: slow.since });
    await keepIdempotentAnswer(tx, { key: 'key', since: slow.since, status: 500, answer: answer('slow') });
  });
  expect(await claim()).toEqual({ state: 'under_way' });
  await bench.database.transaction(organizationId, (tx) =>
    keepIdempotentAnswer(tx, { key: 'key', since: again.since, status: 202, answer: answer('again') }),
  );
  expect(await claim()).toEqual({ state: 'answered', status: 202, answer: answer('again') });
});

test('a request whose outcome nobody knows goes on at once, as what it was from the first; another has to wait', async () => {
  const { organizationId } = await bench.tenant();
  const key = 'open';
  const claim = (fingerprint = 'same') =>
    bench.database.transaction(organizationId, (tx) =>
      claimIdempotencyKey(tx, {
        organizationId,
        key,
        operation: 'POST /',
        fingerprint: Buffer.from(fingerprint),
      }),
    );
  const claimed = async (fingerprint?: string) => {
    const answer = await claim(fingerprint);
    if (answer.state !== 'claimed') throw new Error(`It is ${answer.state}.`);
    return answer;
  };
  const loosen = (since: string) =>
    bench.database.transaction(organizationId, (tx) => loosenIdempotencyKey(tx, { key, since }));
  const lapse = () =>
    bench.sql`update idempotency_keys set created_at = created_at - interval '2 minutes' where key = ${key}`;

  const first = await claimed();
  expect(first.firstAt).toBe(first.since);
  expect(await claim()).toEqual({ state: 'under_way' });
  await loosen(first.since);
  expect(await claim('other')).toEqual({ state: 'other' });
  const second = await claimed();
  expect([second.firstAt, second.since === first.since]).toEqual([first.since, false]);
  // The first one's answer comes too late to let go of what the second one holds.
  await loosen(first.since);
  expect(await claim()).toEqual({ state: 'under_way' });
  // Its api died.
  await lapse();
  expect((await claimed()).firstAt).toBe(first.since);
  await lapse();
  const other = await claimed('other');
  expect(other.firstAt).toBe(other.since);

  // An api of the version before takes it over: what it does not know of it leaves alone.
  await loosen(other.since);
  await bench.sql`update idempotency_keys set created_at = clock_timestamp() where key = ${key}`;
  expect(await claim('other')).toEqual({ state: 'under_way' });
  await bench.sql`update idempotency_keys set status = 204, answer = '{"headers":{},"body":null}' where key = ${key}`;
  expect(await claim('other')).toMatchObject({ state: 'answered', status: 204 });
});

test('a request that is repeated behind midnight gets the id of the first, until its key is free', async () => {
  const { organizationId } = await bench.tenant();
  const idOn = (day: string) =>
    keyedId(
      { database: bench.database, organizationId, claim: { key: 'key', day, firstAt: day, ageMs: 0 } },
      'integrations',
      {},
    );
  const first = await idOn('2026-11-30');
  const another = await idOn('2026-12-01');
  expect(another).not.toBe(first);
  await bench.sql`insert into integrations (id, organization_id) values (${first}, ${organizationId})`;
  expect(await idOn('2026-12-01')).toBe(first);
  await bench.sql`update integrations set created_at = created_at - interval '24 hours' where id = ${first}`;
  expect(await idOn('2026-12-01')).toBe(another);
});
