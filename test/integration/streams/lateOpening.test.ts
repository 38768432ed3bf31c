import { sql } from 'drizzle-orm';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Fenced, openStream, type ImportedStream } from '../../../activities/streams/checkpoint.ts';
import { createSituation, type Situation } from './situation.ts';

let situation: Situation;
let stream: ImportedStream;
beforeAll(async () => {
  situation = await createSituation({ size: 'tiny' });
  const { organizationId, repositoryId, importId } = await situation.startImport(
    await situation.repository('acme-rockets/telemetry'),
  );
  stream = { organizationId, repositoryId, importId, stream: 'commits' };
});
afterAll(() => situation.close());

const runs = ['its own', 'another'] as const;
const openedBy = (
  run: (typeof runs)[number],
  activity: string,
  attempt: number,
): Promise<{ epoch: number }> =>
  new MockActivityEnvironment({
    activityId: activity,
    attempt,
    workflowExecution: { workflowId: 'repository', runId: run },
  }).run(() => openStream(situation.database, stream));

const row = async () =>
  (await situation.rows(sql`select epoch::float8 as epoch, state from streams where stream = 'commits'`))[0];

test('an attempt that wakes up behind a later one of its run opens nothing, and shuts nobody out', async () => {
  const { epoch } = await openedBy('its own', '7', 2);
  await situation.rows(sql`update streams set state = 'healthy' where stream = 'commits'`);
  await expect(openedBy('its own', '7', 1)).rejects.toBeInstanceOf(Fenced);
  await expect(openedBy('its own', '3', 9)).rejects.toBeInstanceOf(Fenced);
  expect(await row()).toEqual({ epoch, state: 'healthy' });
});

test.each([
  ['the next attempt', 'its own', '7', 3],
  ['the same one again', 'its own', '7', 3],
  ['the next activity', 'its own', '11', 1],
  ['an activity of another run', 'another', '1', 1],
  ['one without a number', 'another', 'by hand', 1],
  ['any behind that', 'another', '1', 1],
] as const)('%s opens it, and shuts out all before', async (_, run, activity, attempt) => {
  const before = await row();
  const { epoch } = await openedBy(run, activity, attempt);
  expect(epoch).toBe(Number(before?.['epoch']) + 1);
  expect(await row()).toEqual({ epoch, state: 'processing' });
});
