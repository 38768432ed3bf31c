import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../../db/errors.ts';

/** How often, a second apart, tokens are offered to Postgres before they are given up: with them the access is lost. */
const TRIES = 60;

/**
 * Stores what Bitbucket gives once, and only this process holds: Postgres may be away at that very moment. Throws the
 * DatabaseError of the last try, and at once what is none.
 */
export async function untilStored(store: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await store();
      return;
    } catch (error) {
      if (!(error instanceof DatabaseError) || tries === TRIES) throw error;
    }
    await sleep(1_000);
  }
}
