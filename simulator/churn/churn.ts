import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { MutationError } from '../control/mutation.ts';
import { repositoryFor } from '../control/mutationTargets.ts';
import type { Repository } from '../model/entities.ts';
import { createRandom, type Random } from '../model/random.ts';
import type { Host } from '../rest/host.ts';
import { type Change, CHURN_KINDS, USUAL } from './churnKinds.ts';

const planSchema = z.strictObject({
  /** Decides which changes come in which order. */
  seed: z.number().int().default(1),
  rate_per_second: z.number().positive().default(5),
  /** Default: all that need no naming, in their usual mix; named ones come equally often. */
  kinds: z
    .array(z.string().refine((kind) => Object.hasOwn(CHURN_KINDS, kind), 'not a kind of churn'))
    .min(1)
    .optional(),
  /** `workspace/slug` or uuids; default all there are. */
  repositories: z.array(z.string()).min(1).optional(),
  /** Ends by itself after so many. */
  changes: z.number().int().min(1).optional(),
});
type Plan = z.infer<typeof planSchema>;

/** A change that was made, or refused for the reason in `refused`. */
export interface ChurnedChange {
  /** The host's clock when it was made. */
  time_ms: number;
  churn: string;
  repository: string;
  change: Change;
  result: object | null;
  refused: string | null;
}

export interface ChurnReport {
  running: boolean;
  seed: number | null;
  /** How many of each kind were made. */
  done: Record<string, number>;
  total: number;
  refused: number;
  /** What broke it off, where something did. */
  error: string | null;
}

export interface Churn {
  /** Throws a ZodError when the plan is none, and a MutationError when one runs already or a repository is unknown. */
  start(plan: unknown): void;
  /** Resolves when the change under way is made. */
  stop(): Promise<void>;
  report(): ChurnReport;
  changes(): readonly ChurnedChange[];
}

/** A kind that cannot be made in a repository is tried elsewhere so often. */
const TRIES = 30;
const MOST_CHANGES_KEPT = 100_000;

function createPick(random: Random, kinds: Plan['kinds']): () => string {
  const weights = kinds === undefined ? Object.entries(USUAL) : kinds.map((kind) => [kind, 1] as const);
  const sum = weights.reduce((total, [, weight]) => total + weight, 0);
  return () => {
    let left = random.next() * sum;
    for (const [kind, weight] of weights) {
      left -= weight;
      if (left < 0) return kind;
    }
    return weights[0]?.[0] ?? '';
  };
}

/** Changes the source at a seeded pace, one change after another, while others look. */
export function createChurn(tools: { host: Host; mutate: (change: unknown) => Promise<object> }): Churn {
  const { host, mutate } = tools;
  let made: ChurnedChange[] = [];
  let seed: number | null = null;
  let error: string | null = null;
  let turn = 0;
  let running: { stopping: AbortController; ended: Promise<void> } | undefined;

  const repositoriesOf = ({ repositories }: Plan): (() => Repository[]) => {
    if (repositories === undefined) return () => host.world.repositories.filter(({ deleted }) => !deleted);
    const named = repositories.map((key) => repositoryFor(host, key));
    return () => named.filter(({ deleted }) => !deleted);
  };

  /** The next change and where; undefined when none was found. */
  async function next(random: Random, pick: () => string, places: Repository[]) {
    for (let attempt = 0; attempt < TRIES && places.length > 0; attempt += 1) {
      const repository = random.pick(places);
      const churn = pick();
      turn += 1;
      const change = await CHURN_KINDS[churn]?.({ host, random, repository, turn });
      if (change !== undefined) return { churn, repository: repository.uuid, change };
    }
    return undefined;
  }

  async function makeOne(found: Pick<ChurnedChange, 'churn' | 'repository' | 'change'>): Promise<void> {
    const entry: ChurnedChange = { time_ms: host.clock.nowMs(), ...found, result: null, refused: null };
    try {
      entry.result = await mutate(found.change);
    } catch (thrown) {
      if (!(thrown instanceof MutationError)) throw thrown;
      entry.refused = thrown.message;
    }
    made.push(entry);
    if (made.length > MOST_CHANGES_KEPT * 1.1) made = made.slice(-MOST_CHANGES_KEPT);
  }

  async function run(plan: Plan, places: () => Repository[], stop: AbortSignal): Promise<void> {
    const random = createRandom(plan.seed);
    const pick = createPick(random, plan.kinds);
    const started = performance.now();
    for (let count = 0; count < (plan.changes ?? Number.POSITIVE_INFINITY); count += 1) {
      const dueMs = started + (count * 1000) / plan.rate_per_second - performance.now();
      if (dueMs > 0) await sleep(dueMs, undefined, { signal: stop }).catch(() => {});
      if (stop.aborted) return;
      const found = await next(random, pick, places());
      if (found !== undefined) await makeOne(found);
    }
  }

  function report(): ChurnReport {
    const done: Record<string, number> = {};
    const refused = made.filter((entry) => entry.refused !== null).length;
    for (const { churn, refused: reason } of made) {
      if (reason === null) done[churn] = (done[churn] ?? 0) + 1;
    }
    return { running: running !== undefined, seed, done, total: made.length - refused, refused, error };
  }

  return {
    start(input) {
      if (running !== undefined) throw new MutationError('churn runs already: DELETE it first');
      const plan = planSchema.parse(input);
      const places = repositoriesOf(plan);
      made = [];
      seed = plan.seed;
      error = null;
      const stopping = new AbortController();
      const ended = run(plan, places, stopping.signal)
        .catch((thrown: unknown) => {
          error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
        })
        .finally(() => {
          running = undefined;
        });
      running = { stopping, ended };
    },
    async stop() {
      running?.stopping.abort();
      await running?.ended;
    },
    report,
    changes: () => made,
  };
}
