import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { createStreamActivities, type StreamActivitiesOptions } from '../../../activities/streams/streams.ts';
import { waitFor } from '../../support/waitFor.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

let situation: Situation;
let input: ImportInput;
beforeAll(async () => {
  situation = await createSituation({ size: 'small' });
  input = await situation.startImport(await situation.repository('acme-rockets/launch-scripts'));
});
afterAll(() => situation.close());

/** Answers nothing until the request is given up. */
function hanging(): BitbucketClient & { asked: () => number } {
  let asked = 0;
  return {
    asked: () => asked,
    get: ({ signal }) => {
      asked += 1;
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    },
  };
}

function start(options: Partial<StreamActivitiesOptions>) {
  const { database, bitbucket } = situation;
  const environment = new MockActivityEnvironment();
  let heartbeats = 0;
  environment.on('heartbeat', () => {
    heartbeats += 1;
  });
  const { importChunk } = createStreamActivities({ database, bitbucket, ...options });
  const ended = environment.run(importChunk, input).catch((error: unknown) => error);
  return { environment, ended, heartbeats: () => heartbeats };
}

test('a cancelled chunk ends at once, also inside a request; the next one goes on from the checkpoint', async () => {
  const bitbucket = hanging();
  const { environment, ended } = start({ bitbucket });
  await waitFor({ what: 'a request is under way', read: bitbucket.asked, until: (asked) => asked === 1 });
  environment.cancel();
  expect(await ended).toBeInstanceOf(CancelledFailure);
  await situation.importAll(input);
  expect(await situation.differences()).toBe('');
});

test('a page that overruns its deadline sends no more heartbeats, so that Temporal gives up on the attempt', async () => {
  input = await situation.startImport(input.repositoryId, 'full');
  const bitbucket = hanging();
  const { environment, ended, heartbeats } = start({ bitbucket, heartbeatMs: 10, pageDeadlineMs: 200 });
  await waitFor({ what: 'heartbeats are sent', read: heartbeats, until: (sent) => sent > 3 });
  let last = -1;
  await waitFor({
    what: 'they stop',
    read: () => {
      const before = last;
      last = heartbeats();
      return before === last;
    },
    until: (same) => same,
    intervalMs: 100,
  });
  environment.cancel();
  expect(await ended).toBeInstanceOf(CancelledFailure);
});

test('an empty list is asked for several times before it is believed: each answer has a deadline of its own', async () => {
  input = await situation.startImport(input.repositoryId, 'full');
  let answers = 0;
  let sent = (): number => 0;
  const bitbucket: BitbucketClient = {
    get: async (request) => {
      const before = sent();
      // Two answers take longer than the deadline of one.
      await waitFor({ what: 'heartbeats go on', read: () => sent() - before, until: (more) => more >= 35 });
      answers += 1;
      return { ...(await situation.bitbucket.get(request)), json: { values: [] } };
    },
  };
  const { environment, ended, heartbeats } = start({ bitbucket, heartbeatMs: 100, pageDeadlineMs: 6_000 });
  sent = heartbeats;
  await waitFor({
    what: 'the list is asked for again',
    read: () => answers,
    until: (count) => count >= 3,
    timeoutMs: 60_000,
  });
  environment.cancel();
  await ended;
  expect(answers).toBeGreaterThanOrEqual(3);
});
