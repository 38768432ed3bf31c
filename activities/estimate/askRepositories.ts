import { activityInfo } from '@temporalio/activity';
import type { Database } from '../../db/client.ts';
import * as queries from '../../db/queries/estimates.ts';
import { factsSchema, type RepositoryFacts } from '../../forecast/facts.ts';
import type { EstimateQuestions } from '../../workflows/contracts/estimates.ts';
import type { Limited } from '../../workflows/contracts/waiting.ts';
import type { Finding } from '../../workflows/words.ts';
import { FEED_MISSING } from '../pullRequests/activityPosition.ts';
import { estimateConsumer, walker } from '../bitbucket/asker.ts';
import type { BitbucketClient } from '../bitbucket/client.ts';
import { BitbucketError, CredentialUnusable, NotWanted, RateLimited } from '../bitbucket/errors.ts';
import { withHeartbeats } from '../heartbeats.ts';
import { workflowId } from '../workflowId.ts';
import { estimateGone } from './estimateGone.ts';
import { estimatePaused } from './estimatePaused.ts';
import { type Asked, learn, nextQuestion, type Question } from './questions.ts';

export interface EstimateQuestionsOptions {
  database: Database;
  client: BitbucketClient;
  /** a chunk ends after so many requests; default 25 */
  maxRequests?: number;
}

type Input = Parameters<EstimateQuestions['estimateChunk']>[0];
type Plan = NonNullable<Awaited<ReturnType<typeof queries.readEstimatePlan>>>;

/** The activity that asks Bitbucket on behalf of an estimate. Each answer is kept before the next question. */
export function createEstimateQuestions(options: EstimateQuestionsOptions): EstimateQuestions {
  const { database, client, maxRequests = 25 } = options;

  async function read(input: Input) {
    const found = await database.transaction(input.organizationId, async (tx) => ({
      plan: await queries.readEstimatePlan(tx, input.estimateId),
      sample: await queries.readSample(tx, input.estimateId),
    }));
    if (found.plan === undefined) throw estimateGone();
    return { plan: found.plan, sample: found.sample };
  }

  async function chunk(input: Input, signal: AbortSignal) {
    let requests = 0;
    for (;;) {
      const { plan, sample } = await read(input);
      const next = sample.find(({ done }) => !done);
      const result = {
        done: next === undefined,
        asked: sample.filter(({ done }) => done).length,
        requests: sample.reduce((total, one) => total + one.requests, 0),
      };
      if (next === undefined || requests >= maxRequests) return result;
      const asked = askedOf(plan, next, sample);
      const facts = factsSchema.parse(next.facts);
      const question = nextQuestion(facts, asked);
      if (question === null) {
        await note(input, next, { facts, requests: 0, done: true, finding: null });
        continue;
      }
      // Looked up before each question and while one waits for the limit, so a pause holds from the next one on.
      if (plan.integrationState === 'paused') throw estimatePaused();
      requests += 1;
      const limited = await ask({ input, plan, next, asked, facts, question, signal });
      if (limited !== null) return { ...result, limited };
    }
  }

  interface Asking {
    input: Input;
    plan: Plan;
    next: queries.EstimatedRepository;
    asked: Asked;
    facts: RepositoryFacts;
    question: Question;
    signal: AbortSignal;
  }

  /** One question, and what it taught. Answers until when a limit forbids it. */
  async function ask(asking: Asking): Promise<Limited | null> {
    const { input, plan, next, asked, facts, question, signal } = asking;
    if (plan.credentialId === null) throw noCredential();
    const credential = { organizationId: input.organizationId, credentialId: plan.credentialId };
    const asker = walker(estimateConsumer(input.estimateId), workflowId());
    const stillWanted = async () => (await read(input)).plan.integrationState !== 'paused';
    const began = performance.now();
    try {
      const answer = await client.get({ credential, path: question.path, asker, signal, stillWanted });
      const tookMs = [...facts.tookMs, Math.round(performance.now() - began)];
      const learned = { ...learn(facts, question, answer, asked), tookMs };
      await note(input, next, { facts: learned, requests: 1, done: false, finding: null });
      return null;
    } catch (error) {
      if (error instanceof NotWanted) throw estimatePaused();
      if (error instanceof RateLimited) return { until: error.until, why: error.finding.message };
      if (!(error instanceof BitbucketError)) throw error;
      const known = afterRefusal(facts, question, error);
      await note(input, next, { requests: 1, ...(known ?? { facts, done: false, finding: null }) });
      if (known === undefined) throw error;
      return null;
    }
  }

  const note = (
    { organizationId, estimateId }: Input,
    { repositoryId }: queries.EstimatedRepository,
    what: { facts: RepositoryFacts; requests: number; done: boolean; finding: Finding | null },
  ): Promise<void> =>
    database.transaction(organizationId, (tx) =>
      queries.noteFacts(tx, { estimateId, repositoryId, ...what }),
    );

  return { estimateChunk: (input) => withHeartbeats((signal) => chunk(input, signal)) };
}

function askedOf(
  plan: Plan,
  next: queries.EstimatedRepository,
  sample: readonly queries.EstimatedRepository[],
): Asked {
  const since = (watermark: string | null): string | null => (plan.mode === 'full' ? null : watermark);
  return {
    fullName: next.fullName,
    services: plan.services,
    hasIssues: next.hasIssues,
    trackersGone: sample.some(({ facts }) => facts['tickets'] === 'gone'),
    since: {
      pullRequests: since(next.pullRequestsSince),
      activity: since(next.activitySince),
      tickets: since(next.ticketsSince),
    },
  };
}

/**
 * What a refusal tells of this repository; undefined: it speaks about the account or the host, so the estimate waits or
 * ends with it.
 */
function afterRefusal(
  facts: RepositoryFacts,
  question: Question,
  error: BitbucketError,
): { facts: RepositoryFacts; done: boolean; finding: Finding | null } | undefined {
  const goesOn = (known: Partial<RepositoryFacts>) => ({
    facts: { ...facts, ...known },
    done: false,
    finding: null,
  });
  if (question.about === 'tickets' && error.type === 'FeatureGone') return goesOn({ tickets: 'gone' });
  if (question.about === 'tickets' && error.type === 'NotFound') return goesOn({ tickets: 'off' });
  // It is asked for behind the list, so the repository is shown: the import would ask each pull request instead.
  if (question.about === 'feed' && FEED_MISSING.has(error.type)) return goesOn({ feed: 'gone' });
  switch (error.type) {
    case 'RepositoryGone':
    case 'NotFound':
    case 'Forbidden':
    case 'ScopeMissing':
    case 'FeatureGone':
    case 'BadRequest':
      return { facts, done: true, finding: error.finding };
    case 'InvalidResponse': {
      const worthAnother = error.retry.kind === 'limited' && activityInfo().attempt < error.retry.attempts;
      return worthAnother ? undefined : { facts, done: true, finding: error.finding };
    }
    default:
      return undefined;
  }
}

const noCredential = (): CredentialUnusable =>
  new CredentialUnusable({
    finding: {
      code: 'no_credential',
      message: 'The integration has no credential at present.',
      remedy: 'Submit a new one, then ask for the estimate again.',
    },
  });
