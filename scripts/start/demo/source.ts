import { z } from 'zod';

/** The simulated host as somebody who works there sees it: who changes things, and counts what the engine asks for. */
export interface Source {
  /** Makes a change of simulator/README.md. Throws when the host refuses it. */
  change(change: object): Promise<void>;
  /** How many requests to the API and by git have come since `mark`. */
  requestsSince(mark: number): Promise<number>;
  /** A place in the host's journal of requests. */
  mark(): Promise<number>;
}

const line = z.object({ sequence: z.number(), path: z.string() });

export function createSource(simulatorUrl: string): Source {
  async function journal(since: number): Promise<z.infer<typeof line>[]> {
    const answer = await fetch(`${simulatorUrl}/_simulator/journal?since=${since}`);
    const text = await answer.text();
    return text
      .split('\n')
      .filter((entry) => entry !== '')
      .map((entry) => line.parse(JSON.parse(entry)));
  }
  return {
    async change(change) {
      const answer = await fetch(`${simulatorUrl}/_simulator/mutations`, {
        method: 'POST',
        body: JSON.stringify(change),
      });
      if (!answer.ok) throw new Error(`The simulator refused a change: ${await answer.text()}`);
    },
    requestsSince: async (mark) => (await journal(mark)).length,
    mark: async () => (await journal(0)).at(-1)?.sequence ?? 0,
  };
}
