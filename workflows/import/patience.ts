import { condition } from '@temporalio/workflow';
import type { Limited, Waiting } from '../contracts/waiting.ts';
import type { OfRepository } from '../contracts/tenant.ts';
import { clock, summary } from '../details.ts';
import type { PauseReason, Wanted } from '../inputs.ts';
import { createLimitTimer } from '../limitTimer.ts';
import { tellRefused } from '../limits.ts';
import { rows } from '../policies.ts';
import { PAUSED } from './paused.ts';
import type { ImportTiming } from '../timing.ts';
import type { Finding } from '../words.ts';
import type { ImportRepositoryState } from '../words.ts';
import type { Screen } from './screen.ts';

/** What signals have told the run of a repository. */
export interface Steering {
  paused: PauseReason | null;
  /** other imports that want the repository */
  others: Wanted[];
  /** how many signals came: any of them ends a wait for the credential */
  messages: number;
  /** how often the request budget had room earlier than a chunk was, or will be, told */
  freed: number;
  /** what is read beside failed for good: what is in hand comes to rest at its checkpoint */
  failed: boolean;
  /** services were switched: which streams are wanted is to be asked again */
  outdated: boolean;
  /** its import's run hears of its end without being told */
  quiet: boolean;
}

interface Wait {
  state: ImportRepositoryState;
  waiting: Waiting;
}

/** The one that would go on while the import that the run works for is paused. */
export const heirOf = (others: readonly Wanted[]): Wanted | undefined =>
  others.find(({ paused }) => paused === null);

/**
 * The waits of a repository's run, which may have two at once. Each says in the row and on a durable timer why, and until
 * when.
 */
export interface Patience {
  /** `freed`: how often there was room early when the work began that met the limit. */
  forLimit(limited: Limited, freed: number): Promise<void>;
  /** `heard`: how many signals had come when the work began that was refused, with the `finding`. */
  forCredential(heard: number, finding: Finding): Promise<void>;
  forResume(reason: PauseReason): Promise<void>;
}

export function createPatience(options: {
  ids: OfRepository & { importId: string };
  timing: ImportTiming;
  screen: Screen;
  steering: Steering;
}): Patience {
  const { ids, timing, screen, steering } = options;

  const limitTimer = createLimitTimer();
  const inHand = new Set<Wait>();
  let refused: Promise<void> | null = null;

  async function forLimit({ until, why }: { until: string; why: string }, freed: number): Promise<void> {
    const isOver = (): boolean => steering.failed || steering.outdated || steering.freed !== freed;
    if (isOver()) return;
    const untilMs = Date.parse(until);
    await during({ state: 'rate_limited', waiting: { until, why } }, () =>
      limitTimer(untilMs, () => steering.paused !== null || isOver(), announce(`${why}; goes on`, untilMs)),
    );
  }

  async function forCredential(heard: number, finding: Finding): Promise<void> {
    // The word to go on came while the old credential was still being refused.
    if (steering.messages !== heard) return;
    // Git and the API sign with the same one.
    refused ??= untilAccepted(heard, finding).finally(() => {
      refused = null;
    });
    await refused;
  }

  /** The integration finds out whether the credential is dead; meanwhile, and after brownouts, it is tried again. */
  async function untilAccepted(heard: number, finding: Finding): Promise<void> {
    const nowMs = Date.now();
    await tellRefused(ids.integrationId, finding);
    const untilMs = nowMs + timing.refusedEveryMs;
    const why = 'Bitbucket refused the credential';
    const until = new Date(untilMs).toISOString();
    await during({ state: 'needs_credential', waiting: { until, why } }, async () => {
      const isOver = (): boolean => steering.messages !== heard || steering.failed;
      const said = announce(`${why}; tries again`, untilMs);
      await condition(isOver, Math.max(1, untilMs - Date.now()), { summary: said });
    });
  }

  /** The row says that it waits, and behind it what else is waited for. */
  async function during(own: Wait, work: () => Promise<void>): Promise<void> {
    inHand.add(own);
    try {
      await store(own.state, own.waiting);
      await work();
    } finally {
      inHand.delete(own);
    }
    if (steering.paused !== null) return;
    const [other] = inHand;
    await (other === undefined ? store('running') : store(other.state, other.waiting));
  }

  async function forResume(reason: PauseReason): Promise<void> {
    screen.waiting(PAUSED[reason].doing, null);
    await store(PAUSED[reason].state, { until: null, why: PAUSED[reason].why });
    await condition(() => steering.paused !== reason || heirOf(steering.others) !== undefined);
    if (steering.paused === null) await store('running');
  }

  /** Shows what is waited for; answers what an operator reads of the durable timer. */
  function announce(saying: string, untilMs: number): string {
    const until = clock(untilMs, Date.now());
    screen.waiting(saying, until);
    return summary(`${saying} ${until}`);
  }

  async function store(state: ImportRepositoryState, waiting: Waiting | null = null) {
    screen.stage(state);
    await rows().setRepositoryState.executeWithOptions({ summary: `store state ${state}` }, [
      { ...ids, state, waiting, joined: steering.others.map(({ importId }) => importId) },
    ]);
  }

  return { forLimit, forCredential, forResume };
}
