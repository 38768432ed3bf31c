import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { Limited } from './contracts.ts';
import { clock } from './details.ts';
import { readFailure } from './failures.ts';
import { integrationWorkflowId } from './ids.ts';
import { tell } from './import/tell.ts';
import { allowanceFreed, credentialRefused } from './messages.ts';

/** Chunks that may meet a limit of Bitbucket: it is waited for on a named timer, which a signal ends early. */
export interface Limits {
  /** Runs a chunk; waits where it met a limit. True: it met none. */
  chunk(run: () => Promise<{ limited?: Limited }>): Promise<boolean>;
}

/** Registers the signal that ends a wait early: once a run. */
export function createLimits(): Limits {
  let freed = false;
  setHandler(allowanceFreed, () => void (freed = true), {
    description: 'End a wait for the request budget early.',
  });

  /** A limit that the activity met by an error is waited for like one that it returned. */
  async function limitOf(run: () => Promise<{ limited?: Limited }>): Promise<Limited | null> {
    try {
      return (await run()).limited ?? null;
    } catch (error) {
      const { limited } = readFailure(error);
      if (limited === null) throw error;
      return limited;
    }
  }

  return {
    async chunk(run) {
      freed = false;
      const limited = await limitOf(run);
      if (limited === null) return true;
      const untilMs = Date.parse(limited.until);
      const summary = `${limited.why}; goes on ${clock(untilMs, Date.now())}`;
      setCurrentDetails(summary);
      await condition(() => freed, Math.max(1, untilMs - Date.now()), { summary });
      return false;
    },
  };
}

/** Bitbucket refused the credential: the integration finds out whether it is dead. */
export const tellRefused = (integrationId: string): Promise<void> =>
  tell(integrationWorkflowId(integrationId), (handle) =>
    handle.signal(credentialRefused, { at: new Date(Date.now()).toISOString() }),
  );

/** Whether a failure says that the credential was refused, or is none. */
export const isRefusal = (type: string): boolean => type === 'AuthRefused' || type === 'CredentialUnusable';
