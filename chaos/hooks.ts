import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Connection } from '../bench/support/connection.ts';
import { countHooks, type HookCount, type HostHook, isExactlyHooked } from './countHooks.ts';
import { patiently } from './patiently.ts';

/** The hooks of the simulated host: what stands there, and somebody who takes some away. */

const listSchema = z.object({
  hooks: z.array(
    z.object({
      uuid: z.string(),
      workspace: z.string(),
      repository: z.string().nullable(),
      active: z.boolean(),
      events: z.array(z.string()),
    }),
  ),
});

const SHORTEST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 30_000;
const LOOK_MS = 1_000;

export interface SourceHooks {
  /** Until exactly one hook tells of each imported repository, or `timeoutMs` are over; what stood there last. */
  untilExact(timeoutMs: number): Promise<HookCount>;
  /**
   * Takes a hook away at the source every now and then until `untilMs` (performance.now), and asks the engine to look: it
   * must set up one and not two, whoever is killed meanwhile. Gives how many were taken.
   */
  takeAway(options: { random: () => number; untilMs: number; say: (line: string) => void }): Promise<number>;
}

export function createSourceHooks(simulator: string, { api, integrationId }: Connection): SourceHooks {
  async function list(): Promise<HostHook[]> {
    const answer = await fetch(`${simulator}/_simulator/hooks`);
    if (!answer.ok) throw new Error(`The simulator answers ${answer.status} for its hooks.`);
    return listSchema.parse(await answer.json()).hooks;
  }

  async function remove({ uuid }: HostHook): Promise<void> {
    const answer = await fetch(`${simulator}/_simulator/mutations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ kind: 'hook.delete', hook: uuid }),
    });
    if (!answer.ok) throw new Error(`The simulator removes no hook: ${await answer.text()}`);
  }

  async function count(): Promise<HookCount> {
    const { data } = await api.repositories(integrationId, { imported: 'true', limit: '200' });
    const names = data.map(({ full_name: name }) => name);
    return countHooks(await list(), names);
  }

  return {
    async untilExact(timeoutMs) {
      const endsMs = performance.now() + timeoutMs;
      for (;;) {
        const found = await patiently('Counting the hooks', count);
        if (isExactlyHooked(found) || performance.now() > endsMs) return found;
        await sleep(LOOK_MS);
      }
    },

    async takeAway({ random, untilMs, say }) {
      let taken = 0;
      for (;;) {
        await sleep(SHORTEST_PAUSE_MS + random() * (LONGEST_PAUSE_MS - SHORTEST_PAUSE_MS));
        if (performance.now() > untilMs) return taken;
        const hooks = await list();
        const chosen = hooks[Math.floor(random() * hooks.length)];
        if (chosen === undefined) continue;
        await remove(chosen);
        taken += 1;
        say(`the hook of ${chosen.repository ?? chosen.workspace} was taken away`);
        // Sent again it waits for the same command, whatever was killed meanwhile.
        const idempotencyKey = randomUUID();
        await patiently('Registering webhooks', () =>
          api.registerWebhooks(integrationId, {}, { idempotencyKey }),
        );
      }
    },
  };
}
