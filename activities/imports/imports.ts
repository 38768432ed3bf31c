import type { Database, Transaction } from '../../db/client.ts';
import { failIncomplete, readStandings } from '../../db/queries/completeness.ts';
import { settleStreams } from '../../db/queries/importTotals.ts';
import { forecastImport } from '../../db/queries/importForecast.ts';
import { lockImport } from '../../db/queries/importControl.ts';
import { insertImportEvent } from '../../db/queries/importEvents.ts';
import {
  copyProgress,
  endRepositories,
  endRepository,
  insertImportStreams,
  type RepositoryPlan,
  selectBegun,
  selectFinished,
  selectPending,
  selectPlan,
  stampImported,
  updateRepositoryState,
} from '../../db/queries/importRepositories.ts';
import { analyzeChosen, chooseRepositories, countChosen } from '../../db/queries/importSelection.ts';
import { endImport, rollUp, startImport, updateImportState } from '../../db/queries/imports.ts';
import { borrowReading, inheritProgress, takeReading } from '../../db/queries/sharedProgress.ts';
import { stopWaiting } from '../../db/queries/requestBudget.ts';
import { incompleteFinding } from '../../workflows/completeness.ts';
import { isParked, noteUnreadByImport } from '../../db/queries/syncs.ts';
import type { ImportActivities } from '../../workflows/contracts/imports.ts';
import { importRepositoryWorkflowId } from '../../workflows/ids.ts';
import { PAUSED } from '../../workflows/import/paused.ts';
import { IMPORT_TIMING } from '../../workflows/timing.ts';
import {
  type ImportRepositoryState,
  SERVICES,
  type Stream,
  STREAMS_OF_SERVICE,
  type StreamState,
} from '../../workflows/words.ts';
import { EngineError } from '../engineError.ts';
import { withHeartbeats } from '../heartbeats.ts';
import { controlOf, createImportControl, pauseOf } from './importControl.ts';

export interface ImportDependencies {
  database: Database;
  /** Whether a workflow of this id runs now. */
  isRunning: (workflowId: string) => Promise<boolean>;
  /** from this size on git and the API of a repository are read at the same time; default 8 MiB */
  sideBySideFromBytes?: number | undefined;
}

/** A smaller one is read in seconds, and has no use for an activity more. */
const LARGE_BYTES = 8 * 1024 ** 2;

const isOfApi = (stream: Stream): boolean => !STREAMS_OF_SERVICE.repositories.includes(stream);

/** In the order in which they are read. */
const streamsOf = (plan: Pick<RepositoryPlan, 'services'>): Stream[] =>
  SERVICES.filter((service) => plan.services.includes(service)).flatMap(
    (service) => STREAMS_OF_SERVICE[service],
  );

/** What is wanted and not among the streams that a run has read, or was switched off meanwhile and is on again. */
function unreadOf(
  plan: RepositoryPlan | undefined,
  read: readonly Stream[],
  standings: readonly { stream: Stream; state: StreamState }[],
): Stream[] {
  if (plan === undefined || plan.over) return [];
  const off = standings.filter(({ state }) => state === 'switched_off').map(({ stream }) => stream);
  return streamsOf(plan).filter((stream) => !read.includes(stream) || off.includes(stream));
}

/** States in which a repository asks, or waits for its turn. */
const GOES_ON: ReadonlySet<ImportRepositoryState> = new Set(['running', 'rate_limited']);

/** Begins an import, or finds how far it came: then `begun` has runs, and those of `next` may. */
/** Repositories of an import of which Postgres must know at once. */
const MANY = 100;

async function begin(
  tx: Transaction,
  { organizationId, integrationId, importId }: Parameters<ImportActivities['prepareImport']>[0],
) {
  const isNew = await startImport(tx, importId);
  if (isNew) {
    await chooseRepositories(tx, { importId, integrationId });
    await insertImportEvent(tx, { organizationId, importId, type: 'import_started' });
  }
  const { total, first, all } = await countChosen(tx, importId);
  const isOne = total === 1 && first !== null;
  const title = isOne ? first : `${all ? 'all ' : ''}${total.toLocaleString('en-US')} repositories`;
  const prepared = { total, title, ...(await controlOf(tx, importId)) };
  if (isNew) return { ...prepared, begun: undefined, next: [] };
  const begun = await selectBegun(tx, importId);
  const inHand = begun.map(({ repositoryId }) => repositoryId);
  const next = await selectPending(tx, { importId, limit: IMPORT_TIMING.fanOut, inHand });
  return { ...prepared, begun, next };
}

/** Rows of imports, as their workflows write them. Each may run again after its answer was lost. */
export function createImportActivities({
  database,
  isRunning,
  sideBySideFromBytes = LARGE_BYTES,
}: ImportDependencies): ImportActivities {
  return {
    ...createImportControl(database),

    prepareImport: (input) =>
      withHeartbeats(async () => {
        const { begun, next, ...prepared } = await database.transaction(input.organizationId, (tx) =>
          begin(tx, input),
        );
        if (begun === undefined && prepared.total >= MANY) await database.statement(analyzeChosen);
        if (begun === undefined || prepared.ended !== undefined) return prepared;
        // A run that was started a moment before its import's was lost has not said yet that it begins.
        const running = await Promise.all(
          next.map(({ repositoryId }) => isRunning(importRepositoryWorkflowId(repositoryId))),
        );
        return { ...prepared, begun: [...begun, ...next.filter((_, at) => running[at] === true)] };
      }),

    nextRepositories: ({ organizationId, importId, limit, inHand }) =>
      database.transaction(organizationId, async (tx) => ({
        repositories: [...(await selectPending(tx, { importId, limit, inHand }))],
      })),

    async repositoryOutcomes({ organizationId, importId, repositoryIds }) {
      // Temporal first, rows second: a run that ends in between has written its row before it ended.
      const running = await Promise.all(
        repositoryIds.map((repositoryId) => isRunning(importRepositoryWorkflowId(repositoryId))),
      );
      const finished = await database.transaction(organizationId, (tx) =>
        selectFinished(tx, { importId, repositoryIds }),
      );
      const ended = new Set(finished);
      const lost = repositoryIds.filter((id, index) => running[index] !== true && !ended.has(id));
      return { finished, lost };
    },

    rollUpImport: ({ organizationId, importId }) =>
      database.transaction(organizationId, async (tx) => {
        await settleStreams(tx, { importId, keep: 'rates' });
        const totals = await rollUp(tx, importId);
        const { requestsLeft, estimatedEnd } = await forecastImport(tx, importId);
        return { ...totals, requestsLeft, estimatedEnd };
      }),

    finishImport: ({ organizationId, importId, cancelled }) =>
      database.transaction(organizationId, async (tx) => {
        // Repositories before their import, as every writer of both takes them.
        if (cancelled) await cancelRepositories(tx, importId);
        // Some may be made pending again at this moment (retryRepositories).
        const { open } = await lockImport(tx, importId);
        if (open > 0 && !cancelled) return { state: 'running' };
        if (open > 0) await cancelRepositories(tx, importId);
        await settleStreams(tx, { importId, keep: 'none' });
        const totals = await rollUp(tx, importId);
        const end = await endImport(tx, { importId, cancelled });
        if (end === undefined) return { state: 'cancelled' };
        if (end.ended) {
          const type = `import_${end.state}`;
          await insertImportEvent(tx, { organizationId, importId, type, data: { ...totals } });
        }
        return { state: end.state };
      }),

    setImportState: ({ organizationId, importId, state, waiting }) =>
      database.transaction(organizationId, async (tx) => {
        // What a person said is in the row at once; the run that passes on an earlier word must not take it back.
        const byPerson = waiting?.why === PAUSED.person.why;
        const change = {
          importId,
          state,
          until: waiting?.until ?? null,
          why: waiting?.why ?? null,
          byPerson,
        };
        if (!(await updateImportState(tx, change))) return;
        const type = state === 'running' ? 'import_resumed' : `import_${state}`;
        const data = waiting == null ? {} : { why: waiting.why };
        await insertImportEvent(tx, { organizationId, importId, type, data });
      }),

    beginRepository: ({ organizationId, importId, repositoryId }) =>
      database.transaction(organizationId, async (tx) => {
        const plan = await selectPlan(tx, { importId, repositoryId }, { lock: true });
        if (plan === undefined) throw importGone();
        const streams = streamsOf(plan);
        const { fullName, mode, commitSource, retries, sizeBytes } = plan;
        const withGit = streams.includes('commits') && commitSource === 'git';
        const isLarge = sizeBytes !== null && sizeBytes >= sideBySideFromBytes;
        const isSmall = sizeBytes !== null && !isLarge && streams.some(isOfApi);
        const way = {
          ...(withGit && isLarge && streams.includes('pull_requests') ? { sideBySide: true as const } : {}),
          ...(withGit && isSmall ? { small: true as const } : {}),
        };
        const pause = pauseOf(plan.state);
        const paused = pause === null ? {} : { paused: pause };
        const answer = { fullName, mode, streams, commitSource, retries, ...way, ...paused };
        // Started by an import that took it for lost at the moment in which the run before wrote its outcome.
        if (plan.over) return { ...answer, over: true };
        await insertImportStreams(tx, { organizationId, importId, repositoryId, streams });
        await inheritProgress(tx, { importId, repositoryId });
        await takeReading(tx, { importId, repositoryId });
        await changeState(tx, { organizationId, importId, repositoryId, state: 'running' });
        return answer;
      }),

    setRepositoryState: (input) =>
      database.transaction(input.organizationId, async (tx) => {
        // Sorted: two runs may work for the same imports.
        const importIds = [input.importId, ...(input.joined ?? [])].toSorted();
        for (const importId of importIds) await changeState(tx, { ...input, importId });
        // Whoever is paused asks for nothing: the request budget keeps no room for it.
        if (!GOES_ON.has(input.state)) await stopWaiting(tx, importRepositoryWorkflowId(input.repositoryId));
        for (const importId of importIds) await rollUp(tx, importId);
      }),

    joinRepository: ({ organizationId, importId, repositoryId }) =>
      database.transaction(organizationId, async (tx) => {
        await changeState(tx, { organizationId, importId, repositoryId, state: 'running' });
        await borrowReading(tx, { importId, repositoryId });
      }),

    finishRepository: ({ organizationId, importId, repositoryId, state, error, retries, read }) =>
      database.transaction(organizationId, async (tx) => {
        // The integration's row first, as whoever changes it takes them.
        const plan = read && (await selectPlan(tx, { importId, repositoryId }, { lock: false }));
        const standings = await readStandings(tx, { importId, repositoryId });
        const unread = unreadOf(plan, read ?? [], standings);
        if (unread.length > 0) return { importIds: [], unread };
        await stopWaiting(tx, importRepositoryWorkflowId(repositoryId));
        const open = state === 'completed' ? incompleteFinding(standings) : undefined;
        const outcome = {
          importId,
          repositoryId,
          state: open === undefined ? state : ('failed' as const),
          error: open ?? error ?? null,
          retries: retries ?? null,
        };
        if (open !== undefined) await failIncomplete(tx, { importId, repositoryId, error: open });
        const ended = await endRepository(tx, outcome);
        const others = ended.filter((id) => id !== importId);
        await copyProgress(tx, { importId, repositoryId, to: others });
        if (outcome.state === 'completed') await stampImported(tx, repositoryId);
        else if (ended.includes(importId))
          await noteUnreadByImport(tx, { importId, left: [{ repositoryId, begun: true }] });
        for (const id of ended) {
          await insertImportEvent(tx, {
            organizationId,
            importId: id,
            repositoryId,
            type: `repository_${outcome.state}`,
            data: outcome.error === null ? {} : { error: outcome.error },
          });
        }
        const parked = outcome.state === 'completed' && (await isParked(tx, repositoryId));
        // Told again when the answer was lost; those that joined find out by their row.
        return { importIds: [importId, ...others], state: outcome.state, ...(parked ? { parked } : {}) };
      }),
  };
}

const EVENT_OF: Partial<Record<ImportRepositoryState, string>> = {
  rate_limited: 'rate_limited',
  needs_credential: 'needs_credential',
  paused: 'repository_paused',
};

async function cancelRepositories(tx: Transaction, importId: string): Promise<void> {
  await noteUnreadByImport(tx, { importId, left: await endRepositories(tx, importId) });
}

async function changeState(
  tx: Transaction,
  input: Omit<Parameters<ImportActivities['setRepositoryState']>[0], 'integrationId'>,
): Promise<void> {
  const { organizationId, importId, repositoryId, state } = input;
  const waiting = input.waiting ?? null;
  const before = await updateRepositoryState(tx, {
    importId,
    repositoryId,
    state,
    until: waiting?.until ?? null,
    why: waiting?.why ?? null,
    error: input.error ?? null,
  });
  if (before === undefined) return;
  const type = EVENT_OF[state] ?? (before === 'pending' ? 'repository_started' : 'repository_resumed');
  const data = waiting === null ? {} : { until: waiting.until, why: waiting.why };
  await insertImportEvent(tx, { organizationId, importId, repositoryId, type, data });
}

const importGone = () =>
  new EngineError('import_gone', {
    code: 'import_gone',
    message: 'The import or the repository was removed while its run began.',
    remedy: 'Start a new import.',
  });
