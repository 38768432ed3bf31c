import { Client, Connection } from '@temporalio/client';
import { inject } from 'vitest';
import type { Stack } from './stack.ts';
import { collectHistories, replay } from './workflows.ts';

/** Where a stack's workflows run. */
export type StackRuns = Pick<Stack, 'temporalAddress' | 'taskQueue'>;

/** The histories of every run that a stack's workers know, children and former runs of a chain included. */
export async function stackHistories(stack: StackRuns): ReturnType<typeof collectHistories> {
  const { temporalNamespace: namespace } = inject('servers');
  const { temporalAddress: address } = stack;
  const connection = await Connection.connect({ address });
  try {
    return await collectHistories(new Client({ connection, namespace }), stack.taskQueue);
  } finally {
    await connection.close();
  }
}

/** Replays every run that the stack started against the workflows as they are; gives how many. */
export async function expectReplays(stack: StackRuns): Promise<number> {
  const collected = (await stackHistories(stack))
    // A run whose first task is not done yet holds nothing to replay.
    .filter(({ history }) => history.events?.some((event) => event.workflowTaskCompletedEventAttributes));
  await replay(collected.map(({ run, history }) => ({ workflowId: run.workflowId, history })));
  return collected.length;
}
