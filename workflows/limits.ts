import { CancellationScope, condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { Limited } from './contracts/waiting.ts';
import { clock } from './details.ts';
import { readFailure } from './failures.ts';
import { CREDENTIAL_HELD } from './findings.ts';
import { integrationWorkflowId } from './ids.ts';
import { PAUSED } from './import/paused.ts';
import { tell } from './import/tell.ts';
import type { PauseReason } from './inputs.ts';
import { createLimitTimer } from './limitTimer.ts';
import { allowanceFreed, credentialRefused, discovered, setPaused } from './messages.ts';
import type { Finding } from './words.ts';

/**
 * Chunks that may meet a limit of Bitbucket, which is waited for on a named timer, and that rest while their integration
 * is paused: the one in hand is stopped then, and asked for again from its place.
 */
export interface Limits {
  /** why it rests; null: it does not */
  readonly paused: PauseReason | null;
  /** Runs a chunk. True: it ran to its end, and met no limit. */
  chunk(run: () => Promise<{ limited?: Limited }>): Promise<boolean>;
}

/** Registers the signals: once a run. `paused`: as the run before left it. */
export function createLimits(paused: PauseReason | null = null): Limits {
  let freed = false;
  let inHand: CancellationScope | null = null;
  let rests = paused;
  const limitTimer = createLimitTimer();
  setHandler(
    setPaused,
    (word) => {
      rests = word.paused ? (word.reason ?? 'integration') : null;
      if (word.paused) inHand?.cancel();
    },
    { description: 'Wait at the place in hand, or go on.' },
  );
  setHandler(allowanceFreed, () => void (freed = true), {
    description: 'End a wait for the request budget early.',
  });

  /** A limit that the activity met by an error is waited for like one that it returned. */
  async function limitOf(run: () => Promise<{ limited?: Limited }>): Promise<Limited | 'stopped' | null> {
    const scope = new CancellationScope();
    inHand = scope;
    try {
      return (await scope.run(run)).limited ?? null;
    } catch (error) {
      // By a pause, whatever the stopped chunk says then; only the current scope ends with the run itself.
      if (scope.consideredCancelled && !CancellationScope.current().consideredCancelled) return 'stopped';
      const { limited } = readFailure(error);
      if (limited === null) throw error;
      return limited;
    } finally {
      inHand = null;
    }
  }

  return {
    get paused() {
      return rests;
    },

    async chunk(run) {
      freed = false;
      if (rests !== null) {
        setCurrentDetails(PAUSED[rests].doing);
        await condition(() => rests === null);
      }
      const limited = await limitOf(run);
      if (limited === null) return true;
      if (limited === 'stopped') return false;
      const untilMs = Date.parse(limited.until);
      const summary = `${limited.why}; goes on ${clock(untilMs, Date.now())}`;
      setCurrentDetails(summary);
      await limitTimer(untilMs, () => freed || rests !== null, summary);
      return false;
    },
  };
}

/**
 * Bitbucket refused the credential: the integration finds out whether it is dead. What was held back over earlier refusals
 * (`finding`) asked nothing, so it is no other one.
 */
export async function tellRefused(integrationId: string, { code }: Finding): Promise<void> {
  if (code === CREDENTIAL_HELD) return;
  await tell(integrationWorkflowId(integrationId), (handle) =>
    handle.signal(credentialRefused, { at: new Date(Date.now()).toISOString() }),
  );
}

/** There may be something new to import. An integration whose run is lost looks by itself when it begins again. */
export const tellDiscovered = (integrationId: string): Promise<void> =>
  tell(integrationWorkflowId(integrationId), (handle) => handle.signal(discovered));

/** Whether a failure says that the credential was refused, or is none. */
export const isRefusal = (type: string): boolean => type === 'AuthRefused' || type === 'CredentialUnusable';
