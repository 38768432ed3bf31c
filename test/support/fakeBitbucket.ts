import { ApplicationFailure } from '@temporalio/common';
import { activityInfo, cancelled, heartbeat } from '@temporalio/activity';
import type postgres from 'postgres';
import type { ChunkResult, StreamActivities } from '../../workflows/contracts/streams.ts';
import type { ConnectionActivities } from '../../workflows/contracts/connection.ts';
import type { DiscoveryActivities } from '../../workflows/contracts/discovery.ts';
import type { EstimateQuestions } from '../../workflows/contracts/estimates.ts';
import type { PollQuestions } from '../../workflows/contracts/polls.ts';
import type { WebhookActivities } from '../../workflows/contracts/webhooks.ts';
import { type Finding, SERVICES, type Service, type Stream } from '../../workflows/words.ts';

export type FakeActivities = ConnectionActivities &
  DiscoveryActivities &
  StreamActivities &
  EstimateQuestions &
  PollQuestions &
  WebhookActivities;

/** What happens when a chunk is asked for: a result, an error to throw, or work that goes on until it is cancelled. */
export type Step = Partial<ChunkResult> | Error | 'hang' | Promise<Partial<ChunkResult>>;

type WebhookChunk = Partial<Awaited<ReturnType<WebhookActivities['keepWebhooksChunk']>>>;
type WebhookStep = Error | WebhookChunk | Promise<WebhookChunk>;

/**
 * Stands for everything that calls Bitbucket, for tests of workflows: says what it is told to, and stores what the real
 * activities store. All else in those tests is real.
 */
export interface FakeBitbucket {
  readonly activities: FakeActivities;
  /** verdicts by credential id; a credential that is not here passes with all services */
  readonly refused: Map<string, Finding>;
  allowed: Service[];
  /** Bitbucket's accounts by credential id; a credential that is not here belongs to the service account */
  readonly accounts: Map<string, { uuid: string | null; name: string; kind: string }>;
  /** answers to probes, one after the other; then `true` */
  readonly probes: boolean[];
  /** by repository id, one after the other; then `done` */
  readonly git: Map<string, Step[]>;
  readonly chunks: Map<string, Step[]>;
  /** answers to an estimate's chunks, one after the other; then `done` */
  readonly estimate: (Error | Partial<Awaited<ReturnType<EstimateQuestions['estimateChunk']>>>)[];
  /** answers to chunks of a round over webhooks, one after the other; then the round is over */
  readonly webhooks: WebhookStep[];
  /** answers to removals of webhooks, one after the other; then none is left */
  readonly removals: Partial<Awaited<ReturnType<WebhookActivities['removeWebhooks']>>>[];
  readonly discovery: (
    | Error
    | 'hang'
    | { cursor: string | null; limited?: { until: string; why: string } }
  )[];
  /** in place of `chunks`: what a chunk of this repository does is decided while it runs, unless it is cancelled first */
  decide: ((repositoryId: string, cancelled: Promise<never>) => Promise<Partial<ChunkResult> | Error>) | null;
  /** answers to the chunks of a poll round, one after the other; then the round is at its end */
  readonly polls: (Error | Partial<Awaited<ReturnType<PollQuestions['pollChunk']>>>)[];
  /** every call, in order: `importChunk <repository id>` … */
  readonly calls: string[];
  /** the calls that were cancelled while they hung: `discoverChunk` … */
  readonly stopped: string[];
  /** a check of this credential goes on until it is cancelled */
  readonly hanging: Set<string>;
}

interface ChunkOf {
  importId: string;
  repositoryId: string;
  streams: Stream[];
}

export const refusal: Finding = {
  code: 'invalid_credentials',
  message: 'Bitbucket refused the credential.',
  remedy: 'Check it.',
};

/** An error as `castErrors` leaves it. */
export const failureOf = (type: string, details: Record<string, unknown> = {}): ApplicationFailure =>
  ApplicationFailure.create({
    type,
    message: type,
    nonRetryable: true,
    details: [{ code: type, message: `${type} happened`, remedy: 'Mend it.' }, details],
  });

export function createFakeBitbucket(sql: postgres.Sql): FakeBitbucket {
  const probes: boolean[] = [];
  const git = new Map<string, Step[]>();
  const chunks = new Map<string, Step[]>();
  const discovery: FakeBitbucket['discovery'] = [];
  const estimate: FakeBitbucket['estimate'] = [];
  const polls: FakeBitbucket['polls'] = [];
  const webhooks: FakeBitbucket['webhooks'] = [];
  const removals: FakeBitbucket['removals'] = [];
  const refused = new Map<string, Finding>();
  const hanging = new Set<string>();
  const calls: string[] = [];
  const stopped: string[] = [];

  const endCheck = (checkId: string, verdict: string, report: Record<string, unknown>) => sql`
    update connection_checks set state = 'done', verdict = ${verdict}, report = ${sql.json(report as never)},
      finished_at = clock_timestamp()
    where id = ${checkId} and state = 'running'`;

  const hang = (): Promise<never> => untilCancelled((cancel) => cancel);

  async function untilCancelled<T>(work: (cancel: Promise<never>) => Promise<T>): Promise<T> {
    const beat = setInterval(() => heartbeat(), 500);
    const cancel = cancelled();
    try {
      return await Promise.race([cancel, work(cancel)]);
    } finally {
      clearInterval(beat);
    }
  }

  async function play(script: Step[] | undefined, input: ChunkOf): Promise<ChunkResult> {
    return carryOut(script?.shift() ?? { done: true }, input);
  }

  async function carryOut(step: Step, input: ChunkOf): Promise<ChunkResult> {
    if (step === 'hang') return hang();
    // Without a heartbeat, so that it hears nothing either.
    if (step instanceof Promise) return carryOut(await step, input);
    if (step instanceof Error) throw step;
    if (step.done === true) {
      await sql`update import_streams set state = 'healthy', records_expected = 10, records_stored = 10
        where import_id = ${input.importId} and repository_id = ${input.repositoryId}
          and stream = any (${input.streams})`;
    }
    return { done: false, stream: null, requests: 1, records: 10, ...step };
  }

  const fake: FakeBitbucket = {
    refused,
    allowed: [...SERVICES],
    accounts: new Map(),
    probes,
    git,
    chunks,
    discovery,
    estimate,
    polls,
    webhooks,
    removals,
    decide: null,
    calls,
    stopped,
    hanging,
    activities: {
      async exchangeOauthCode({ integrationId, oauthFlowId }) {
        calls.push(`exchangeOauthCode ${oauthFlowId}`);
        const [row] = await sql<{ credentialId: string }[]>`
          insert into credentials (id, organization_id, integration_id, owner_id, kind, sealed, key_id)
          select gen_random_uuid(), organization_id, id, id, 'oauth', 'sealed', 'test' from integrations
          where id = ${integrationId} returning id as "credentialId"`;
        return row!;
      },
      async checkConnection({ checkId, credentialId }) {
        calls.push(`checkConnection ${credentialId}`);
        if (hanging.has(credentialId)) return hang();
        const finding = refused.get(credentialId);
        const allowedServices = finding === undefined ? fake.allowed : [];
        const verdict = finding === undefined ? 'ok' : 'failed';
        await endCheck(checkId, verdict, {
          allowed_services: allowedServices,
          account: fake.accounts.get(credentialId) ?? { uuid: '{1}', name: 'Service account', kind: 'user' },
          findings: finding === undefined ? [] : [{ ...finding, severity: 'error' }],
        });
        return { verdict, allowedServices };
      },
      async failCheck({ checkId, finding }) {
        calls.push(`failCheck ${finding.code}`);
        await endCheck(checkId, 'failed', {
          allowed_services: [],
          findings: [{ ...finding, severity: 'error' }],
        });
      },
      async discardCheckSecret({ checkId }) {
        calls.push('discardCheckSecret');
        await sql`update credentials set state = 'shredded', sealed = null where owner_id = ${checkId}`;
      },
      async probeCredential() {
        calls.push('probeCredential');
        return { accepted: probes.shift() ?? true };
      },
      async discoverChunk({ cursor }) {
        calls.push(`discoverChunk ${cursor}`);
        const step = discovery.shift() ?? { cursor: null };
        if (step === 'hang') return hang().finally(() => stopped.push('discoverChunk'));
        if (step instanceof Error) throw step;
        return { workspaces: 1, projects: 1, repositories: 1, ...step };
      },
      async lookUpRepositories({ uuids }) {
        calls.push(`lookUpRepositories ${uuids.join(' ')}`);
        return { left: [], found: uuids.length };
      },
      async finishDiscovery({ integrationId, outcome }) {
        calls.push(`finishDiscovery ${outcome}`);
        await sql`update integrations set discovery_state = ${outcome} where id = ${integrationId}`;
      },
      async estimateChunk({ estimateId }) {
        calls.push(`estimateChunk ${estimateId}`);
        const step = estimate.shift() ?? { done: true };
        if (step instanceof Error) throw step;
        return { done: false, asked: 1, requests: 3, ...step };
      },
      async pollChunk({ integrationId }) {
        calls.push(`pollChunk ${integrationId}`);
        const step = polls.shift() ?? {};
        if (step instanceof Error) throw step;
        return { place: null, requests: 3, found: 1, ...step };
      },
      async keepWebhooksChunk({ cursor }) {
        calls.push(`keepWebhooksChunk ${cursor ?? 'begins'}`);
        const step = await (webhooks.shift() ?? {});
        if (step instanceof Error) throw step;
        return { cursor: null, more: false, off: false, steps: 1, ...step };
      },
      async removeWebhooks({ repositoryId }) {
        calls.push(`removeWebhooks ${repositoryId ?? 'all'}`);
        return { left: 0, removed: 0, outOfReach: 0, ...removals.shift() };
      },
      importGit({ importId, repositoryId }) {
        calls.push(`importGit ${repositoryId}`);
        return play(git.get(repositoryId), { importId, repositoryId, streams: ['refs', 'commits'] });
      },
      async importSmall({ importId, repositoryId, streams }) {
        calls.push(`importSmall ${repositoryId}`);
        const ofGit = { importId, repositoryId, streams: ['refs', 'commits'] satisfies Stream[] };
        const fromGit = await play(git.get(repositoryId), ofGit);
        if (!fromGit.done) return fromGit;
        return {
          ...(await play(chunks.get(repositoryId), { importId, repositoryId, streams })),
          gitDone: true,
        };
      },
      async linkCommits({ repositoryId }) {
        calls.push(`linkCommits ${repositoryId}`);
        return { done: true, stream: null, requests: 0, records: 0 };
      },
      importChunk({ importId, repositoryId, streams }) {
        calls.push(`importChunk ${repositoryId} ${activityInfo().attempt}`);
        const input = { importId, repositoryId, streams };
        const { decide } = fake;
        if (decide === null) return play(chunks.get(repositoryId), input);
        return untilCancelled(async (cancel) => carryOut(await decide(repositoryId, cancel), input));
      },
    },
  };
  return fake;
}
