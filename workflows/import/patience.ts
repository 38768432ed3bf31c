import { condition } from '@temporalio/workflow';
import type { Limited, OfRepository, Waiting } from '../contracts.ts';
import { clock, summary } from '../details.ts';
import { integrationWorkflowId } from '../ids.ts';
import type { PauseReason, Wanted } from '../inputs.ts';
import { credentialRefused } from '../messages.ts';
import { rows } from '../policies.ts';
import { PAUSED } from './paused.ts';
import type { ImportTiming } from '../timing.ts';
import type { ImportRepositoryState } from '../words.ts';
import type { Screen } from './screen.ts';
import { tell } from './tell.ts';

/** What signals have told the run of a repository. */
export interface Steering {
  paused: PauseReason | null;
  /** other imports that want the repository */
  others: Wanted[];
  /** how many signals came: any of them ends a wait for the credential */
  messages: number;
  /** the request budget has room earlier than the chunk in hand was, or will be, told */
  freed: boolean;
  /** its import's run hears of its end without being told */
  quiet: boolean;
}

/** The one that would go on while the import that the run works for is paused. */
export const heirOf = (others: readonly Wanted[]): Wanted | undefined =>
  others.find(({ paused }) => paused === null);

/** The waits of a repository's run. Each says in the row and on a durable timer why, and until when. */
export interface Patience {
  forLimit(limited: Limited): Promise<void>;
  /** `heard`: how many signals had come when the work began that was refused. */
  forCredential(heard: number): Promise<void>;
  forResume(reason: PauseReason): Promise<void>;
}

export function createPatience(options: {
  ids: OfRepository & { importId: string };
  timing: ImportTiming;
  screen: Screen;
  steering: Steering;
}): Patience {
  const { ids, timing, screen, steering } = options;

  async function forLimit({ until, why }: { until: string; why: string }): Promise<void> {
    if (steering.freed) return;
    await store('rate_limited', { until, why });
    await wait(`${why}; goes on`, Date.parse(until), () => steering.paused !== null || steering.freed);
    if (steering.paused === null) await store('running');
  }

  /** The integration finds out whether the credential is dead; meanwhile, and after brownouts, it is tried again. */
  async function forCredential(heard: number): Promise<void> {
    // The word to go on came while the old credential was still being refused.
    if (steering.messages !== heard) return;
    const nowMs = Date.now();
    await tell(integrationWorkflowId(ids.integrationId), (handle) =>
      handle.signal(credentialRefused, { at: new Date(nowMs).toISOString() }),
    );
    const untilMs = nowMs + timing.refusedEveryMs;
    const why = 'Bitbucket refused the credential';
    await store('needs_credential', { until: new Date(untilMs).toISOString(), why });
    await wait(`${why}; tries again`, untilMs, () => steering.messages !== heard);
    if (steering.paused === null) await store('running');
  }

  async function forResume(reason: PauseReason): Promise<void> {
    screen.waiting(PAUSED[reason].doing, null);
    await store(PAUSED[reason].state, { until: null, why: PAUSED[reason].why });
    await condition(() => steering.paused !== reason || heirOf(steering.others) !== undefined);
    if (steering.paused === null) await store('running');
  }

  /** A durable timer that an operator can read; `woken` ends it early. */
  async function wait(saying: string, untilMs: number, woken: () => boolean): Promise<void> {
    const until = clock(untilMs, Date.now());
    screen.waiting(saying, until);
    await condition(woken, Math.max(1, untilMs - Date.now()), { summary: summary(`${saying} ${until}`) });
  }

  async function store(state: ImportRepositoryState, waiting: Waiting | null = null) {
    screen.stage(state);
    await rows().setRepositoryState.executeWithOptions({ summary: `store state ${state}` }, [
      { ...ids, state, waiting, joined: steering.others.map(({ importId }) => importId) },
    ]);
  }

  return { forLimit, forCredential, forResume };
}
