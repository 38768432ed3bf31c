import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import { createTellSyncs } from '../../../activities/poll/hints.ts';

test('whoever tells many repositories ends with the attempt that asked for it', async () => {
  const attempt = new AbortController();
  const told: unknown[] = [];
  const signalWithStart = async (_type: string, { workflowId }: { workflowId: string }): Promise<void> => {
    told.push(workflowId);
    if (told.length === 2) attempt.abort(new Error('the attempt is over'));
  };
  const tell = createTellSyncs({ workflow: { signalWithStart } } as unknown as Client, 'ingestion');
  const repositories = Array.from({ length: 5 }, (_, n) => ({
    repositoryId: `r${n}`,
    fullName: `acme/r${n}`,
  }));
  const hints = { repositories, services: ['repositories' as const], by: 'person' as const };
  await expect(tell({ organizationId: 'o', integrationId: 'i' }, hints, attempt.signal)).rejects.toThrow(
    'the attempt is over',
  );
  expect(told).toHaveLength(2);
});
