import { Client, Connection } from '@temporalio/client';
import type { Stand } from './stand.ts';

export interface Histories {
  /** of the longest run */
  maxEvents: number;
  /** the largest payload in any of them: inputs, results, memos, summaries */
  maxPayloadBytes: number;
}

/** Reads the histories of all runs so far, those that continued as new too. */
export async function readHistories({ temporalAddress, namespace }: Stand): Promise<Histories> {
  const connection = await Connection.connect({ address: temporalAddress });
  try {
    const { workflow } = new Client({ connection, namespace });
    const found = { maxEvents: 0, maxPayloadBytes: 0 };
    for await (const { workflowId, runId } of workflow.list()) {
      const { events } = await workflow.getHandle(workflowId, runId).fetchHistory();
      found.maxEvents = Math.max(found.maxEvents, events?.length ?? 0);
      found.maxPayloadBytes = Math.max(found.maxPayloadBytes, largestPayload(events));
    }
    return found;
  } finally {
    await connection.close();
  }
}

/** A payload is an object with `metadata` and `data`, wherever it stands in an event. */
function largestPayload(value: unknown): number {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return 0;
  let largest = 0;
  if ('data' in value && 'metadata' in value && value.data instanceof Uint8Array) largest = value.data.length;
  for (const part of Object.values(value)) largest = Math.max(largest, largestPayload(part));
  return largest;
}
