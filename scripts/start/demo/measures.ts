import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';

/** What the import took of the machine and of Temporal. */
export interface Measures {
  /** the most memory that the worker process ever held, over all its restarts; null where there is no /proc */
  readonly workerPeakMegabytes: number | null;
  /** events of the longest workflow run; null when there was none */
  readonly longestHistoryEvents: number | null;
}

export interface MeasureTaker {
  /** Looks at the worker now: one that is killed takes its own figure with it. */
  sample(): Promise<void>;
  /** The figures of what ran since an instant (ISO 8601). */
  since(instant: string): Promise<Measures>;
}

export interface MeasureOptions {
  readonly workerPid: () => number | undefined;
  readonly temporalAddress: string;
  readonly namespace: string;
}

export function createMeasures({ workerPid, temporalAddress, namespace }: MeasureOptions): MeasureTaker {
  let peakKilobytes: number | undefined;

  async function sample(): Promise<void> {
    const pid = workerPid();
    const now = pid === undefined ? undefined : await peakOf(pid);
    if (now !== undefined) peakKilobytes = Math.max(peakKilobytes ?? 0, now);
  }

  return {
    sample,
    async since(instant) {
      await sample();
      return {
        workerPeakMegabytes: peakKilobytes === undefined ? null : Math.round(peakKilobytes / 1024),
        longestHistoryEvents: await longestHistory(temporalAddress, namespace, instant),
      };
    },
  };
}

/** The kernel's own high-water mark of resident memory, in kB (proc(5)); undefined elsewhere, and when it is gone. */
async function peakOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(status);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}

/** Each run counts by itself: a workflow that continues as new begins a new history. */
async function longestHistory(address: string, namespace: string, since: string): Promise<number | null> {
  const connection = await Connection.connect({ address });
  try {
    const { workflow } = new Client({ connection, namespace });
    let longest: number | null = null;
    for await (const run of workflow.list({
      query: `StartTime >= "${since}" or ExecutionStatus = "Running"`,
    })) {
      // The list knows the length of closed runs only.
      const handle = workflow.getHandle(run.workflowId, run.runId);
      const length =
        run.status.name === 'RUNNING' ? (await handle.describe()).historyLength : run.historyLength;
      longest = Math.max(longest ?? 0, length);
    }
    return longest;
  } finally {
    await connection.close();
  }
}
