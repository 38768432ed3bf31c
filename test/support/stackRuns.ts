import { Client, Connection } from '@temporalio/client';
import { inject } from 'vitest';
import type { Stack } from './stack.ts';
import { collectHistories, replay } from './workflows.ts';

/** Where a stack's workflows run. */
export type StackRuns = Pick<Stack, 'temporalAddress' | 'taskQueue'>;

async function asClient<T>(stack: StackRuns, ask: (client: Client) => Promise<T>): Promise<T> {
  const { temporalNamespace: namespace } = inject('servers');
  const connection = await Connection.connect({ address: stack.temporalAddress });
  try {
    return await ask(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

/** The histories of every run that a stack's workers know, children and former runs of a chain included. */
export const stackHistories = (stack: StackRuns): ReturnType<typeof collectHistories> =>
  asClient(stack, (client) => collectHistories(client, stack.taskQueue));

/** The names of the activities that the stack's open runs wait for: `importChunk` … */
export const pendingActivities = (stack: StackRuns): Promise<string[]> =>
  asClient(stack, async (client) => {
    const pending: string[] = [];
    const query = `TaskQueue = '${stack.taskQueue}' AND ExecutionStatus = 'Running'`;
    for await (const { workflowId, runId } of client.workflow.list({ query })) {
      const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
      for (const { activityType } of raw.pendingActivities ?? []) pending.push(activityType?.name ?? '');
    }
    return pending;
  });

/** Waits until a run has ended. */
export const runEnded = (stack: StackRuns, workflowId: string): Promise<unknown> =>
  asClient(stack, (client) => client.workflow.getHandle(workflowId).result());

/** Replays every run that the stack started against the workflows as they are; gives how many. */
export async function expectReplays(stack: StackRuns): Promise<number> {
  const collected = (await stackHistories(stack))
    // A run whose first task is not done yet holds nothing to replay.
    .filter(({ history }) => history.events?.some((event) => event.workflowTaskCompletedEventAttributes));
  await replay(collected.map(({ run, history }) => ({ workflowId: run.workflowId, history })));
  return collected.length;
}
