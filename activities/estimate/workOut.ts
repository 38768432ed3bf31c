import type { EstimatedRepository, EstimatePlan } from '../../db/queries/estimates.ts';
import type { FeedSight } from '../../forecast/activity.ts';
import type { Allowance } from '../../forecast/allowance.ts';
import type { KnownDensity } from '../../forecast/commits.ts';
import type { RepositoryFacts } from '../../forecast/facts.ts';
import { estimateImport, requestsInAll } from '../../forecast/importEstimate.ts';
import { estimateRepository, type StreamEstimate } from '../../forecast/repositoryEstimate.ts';

type Sampled = Omit<EstimatedRepository, 'facts'> & { facts: RepositoryFacts };

export interface Learned {
  plan: Pick<EstimatePlan, 'mode' | 'services' | 'commitSource' | 'total'>;
  sample: readonly Sampled[];
  density: KnownDensity | null;
  allowance: Allowance | null;
  sharers: number;
  nowMs: number;
}

/** The answer of an estimate in the shape that the API shows (`api/schemas/estimate.ts`). Pure. */
export function workOut(learned: Learned) {
  const { plan, sample, allowance, sharers, nowMs } = learned;
  const each = sample.map((one) => ({ ...one, streams: streamsOf(one, learned) }));
  const { requests, streams, ends } = estimateImport(each, {
    repositories: plan.total ?? sample.length,
    allowance,
    sharers,
    tookMs: sample.flatMap(({ facts }) => facts.tookMs),
    nowMs,
  });
  return {
    result: {
      requests,
      streams,
      ends,
      allowance:
        allowance === null
          ? null
          : {
              limit: allowance.limit,
              reserve: allowance.reserve,
              used: allowance.used,
              window_seconds: Math.round(allowance.windowMs / 1_000),
              blocked_until: allowance.blockedUntil,
              shared_by: sharers,
            },
    },
    repositories: each.map(({ repositoryId, streams: own }) => ({
      repositoryId,
      result: { requests: own === null ? null : requestsInAll(own), streams: own ?? [] },
    })),
  };
}

/** null: it cannot be imported. */
function streamsOf(one: Sampled, { plan, sample, density }: Learned): StreamEstimate[] | null {
  if (one.finding !== null) return null;
  const { services, commitSource, mode } = plan;
  return estimateRepository(one.facts, {
    services,
    commitSource,
    sizeBytes: one.sizeBytes,
    hasIssues: one.hasIssues,
    since: mode === 'full' ? null : one.pullRequestsSince,
    foundEmpty: one.foundEmpty,
    trackersGone: sample.some(({ facts }) => facts.tickets === 'gone'),
    otherFeeds: sample.flatMap((other) => (other === one ? [] : feedOf(other))),
    knownDensity: density,
  });
}

const feedOf = ({ facts: { feed } }: Sampled): FeedSight[] =>
  feed === null || feed === 'gone' ? [] : [feed];
