import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type AnswerWhileAway,
  askOverSilentServers,
  askWithoutPostgres,
  askWithoutTemporal,
} from '../support/absentServers.ts';
import { closeWorld, openWorld } from '../support/apiWorld.ts';

/** No request hangs longer, whatever is away (`REACHABLE_MS` of the orchestrator, `boundedDatabase` of the api). */
const ANSWERED_WITHIN_MS = 2_000;

beforeAll(openWorld);
afterAll(closeWorld);

function expectRefusedInTime(answers: readonly AnswerWhileAway[]): void {
  for (const { path, status, waitedMs } of answers) {
    expect(status, path).toBe(503);
    expect(waitedMs, path).toBeLessThan(ANSWERED_WITHIN_MS);
  }
}

test('every operation and the receiver answer 503 within 2 s when Postgres is down', async () => {
  const { answers } = await askWithoutPostgres();
  expect(answers.length).toBeGreaterThan(40);
  expectRefusedInTime(answers);
});

test('a Postgres and a Temporal that take connections and never answer: 503 within 2 s as well', async () => {
  expectRefusedInTime(await askOverSilentServers());
});

test('commands are answered 503 within 2 s when Temporal is down', async () => {
  expectRefusedInTime((await askWithoutTemporal()).commands);
});
