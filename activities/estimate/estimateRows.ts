import type { Database } from '../../db/client.ts';
import { readAllowance } from '../../db/queries/allowance.ts';
import * as queries from '../../db/queries/estimates.ts';
import { factsSchema } from '../../forecast/facts.ts';
import { sampleRepositories } from '../../forecast/repositorySample.ts';
import type { EstimateActivities } from '../../workflows/contracts/estimates.ts';
import type { Finding } from '../../workflows/words.ts';
import { estimateGone } from './estimateGone.ts';
import { workOut } from './workOut.ts';

/** Without a credential nothing is known of any account. */
const NO_BUDGET = { allowance: null, sharers: 1 };

/** Repositories that an estimate asks about, at most. */
const MOST_SAMPLED = 30;

export interface EstimateRowsOptions {
  database: Database;
  /** default 30 */
  mostSampled?: number;
}

/** Rows of estimates, as their workflow writes them. Each may run again after its answer was lost. */
export function createEstimateRows(options: EstimateRowsOptions): EstimateActivities {
  const { database, mostSampled = MOST_SAMPLED } = options;

  const budgetOf = (accountKey: string) =>
    database.withoutTenant(async (tx) => ({
      allowance: (await readAllowance(tx, { accountKey, group: 'repository_data' })) ?? null,
      sharers: 1 + (await queries.countSharers(tx, accountKey)),
    }));

  return {
    beginEstimate: ({ organizationId, estimateId }) =>
      database.transaction(organizationId, async (tx) => {
        if (await queries.startEstimate(tx, estimateId)) {
          const chosen = await queries.chosenForEstimate(tx, estimateId);
          const sampled = sampleRepositories(chosen, mostSampled);
          await queries.insertSample(tx, { organizationId, estimateId, total: chosen.length, sampled });
        }
        const counted = await queries.countSample(tx, estimateId);
        if (counted === undefined) throw estimateGone();
        const { total, sampled, first } = counted;
        const title = total === 1 && first !== null ? first : `${total.toLocaleString('en-US')} repositories`;
        return { total, sampled, title };
      }),

    setEstimateState: ({ organizationId, estimateId, state, waiting }) =>
      database.transaction(organizationId, (tx) =>
        queries.setEstimateState(tx, {
          estimateId,
          state,
          until: waiting?.until ?? null,
          why: waiting?.why ?? null,
        }),
      ),

    async finishEstimate({ organizationId, estimateId }) {
      const { plan, sample, density } = await database.transaction(organizationId, async (tx) => ({
        plan: await queries.readEstimatePlan(tx, estimateId),
        sample: await queries.readSample(tx, estimateId),
        density: await queries.readCommitDensity(tx),
      }));
      if (plan === undefined) throw estimateGone();
      const budget = plan.accountKey === null ? NO_BUDGET : await budgetOf(plan.accountKey);
      const requests = sample.reduce((total, one) => total + one.requests, 0);
      const finding = nothingToSee(sample);
      const answer = workOut({
        plan,
        sample: sample.map((one) => ({ ...one, facts: factsSchema.parse(one.facts) })),
        density,
        ...budget,
        nowMs: Date.now(),
      });
      await database.transaction(organizationId, (tx) =>
        queries.endEstimate(tx, {
          estimateId,
          result: finding === null ? answer.result : null,
          error: finding,
          repositories: answer.repositories,
        }),
      );
      return { state: finding === null ? 'done' : 'failed', requests };
    },

    failEstimate: ({ organizationId, estimateId, finding }) =>
      database.transaction(organizationId, (tx) =>
        queries.endEstimate(tx, { estimateId, result: null, error: finding, repositories: [] }),
      ),
  };
}

/** Why there is nothing to go by: every repository that was asked about refused. */
function nothingToSee(sample: readonly queries.EstimatedRepository[]): Finding | null {
  const [first] = sample;
  if (first === undefined || sample.some(({ finding }) => finding === null)) return null;
  return first.finding;
}
