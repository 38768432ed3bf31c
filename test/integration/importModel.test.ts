import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { commandImport } from '../../api/importCommand.ts';
import { createOrchestrator, type Orchestrator } from '../../api/orchestrator.ts';
import { Problem } from '../../api/problem.ts';
import type { ChunkResult } from '../../workflows/contracts/streams.ts';
import { importWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { isEndedImport } from '../../workflows/words.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import { repositoryRun } from '../support/importBench.ts';
import {
  anyStep,
  end,
  fresh,
  type Model,
  REPOSITORIES,
  SAID,
  type Said,
  say,
  type Step,
} from '../support/importModel.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  type BenchRun,
  command,
  handleOf,
  integrationGoesOn,
  useWorkflowBench,
} from '../support/workflowBench.ts';

/**
 * An import against a few lines of model: what people command (through the api's own code), how its chunks end, workers
 * that are restarted and runs that are lost, in any order; two different commands at once must end as one of their orders.
 */
const bench = useWorkflowBench();

/** One that is being cancelled has ended soon after: who asks meanwhile is told the same in other words. */
const told = (code: string | undefined): string | undefined =>
  code === 'import_cancelling' ? 'import_ended' : code;

/** The import as people and the test hold it. */
function createHandles(run: BenchRun, tenant: TestTenant, importId: string, orchestrator: Orchestrator) {
  const { organizationId } = tenant;
  const variables = {
    dependencies: { database: bench.database, orchestrator },
    principal: { organizationId, role: 'manager', ...actor },
  } as unknown as Parameters<typeof commandImport>[0];
  /** chunks under way, by repository */
  const underWay = new Map<string, (end: Partial<ChunkResult> | Error) => void>();
  run.bitbucket.decide = (repositoryId, cancelled) => {
    const decided = new Promise<Partial<ChunkResult> | Error>((resolve) => {
      underWay.set(repositoryId, resolve);
      cancelled.catch(() => {
        if (underWay.get(repositoryId) === resolve) underWay.delete(repositoryId);
      });
    });
    return decided;
  };

  return {
    underWay,
    async say(what: Said): Promise<string | undefined> {
      try {
        if (what !== 'retry') await commandImport(variables, importId, what);
        else {
          const args = { importId, repositoryIds: null, actor };
          await orchestrator.command(messages.retryFailed, await tenant.snapshot(), args);
        }
      } catch (error) {
        if (error instanceof Problem && error.status === 409) return told(error.code);
        throw error;
      }
      return undefined;
    },
    /** Temporal has a chunk that no worker has in hand: until its run hears that it is to stop, it may come again. */
    async isStopping(repositoryId: string): Promise<'stopping' | false> {
      const { raw, status } = await repositoryRun(run, repositoryId).describe();
      if (status.name !== 'RUNNING') return false;
      const chunks = raw.pendingActivities?.filter(
        ({ activityType }) => activityType?.name === 'importChunk',
      );
      return (chunks ?? []).length > 0 && 'stopping';
    },
    endChunk(repositoryId: string, step: Partial<ChunkResult> | Error): void {
      const decide = underWay.get(repositoryId);
      if (decide === undefined) throw new Error('no chunk of it is under way');
      underWay.delete(repositoryId);
      decide(step);
    },
    /** As an operator may; the api starts it again with the next command. */
    async lose(both: boolean): Promise<void> {
      if (both) await handleOf(run.client, tenant).terminate('by the test');
      await run.client.workflow
        .getHandle(importWorkflowId(importId))
        .terminate('by the test')
        .catch(() => undefined);
      await command(run, tenant, messages.reviveImport, { importId, actor });
    },
  };
}

const LIMIT_MS = 200;
function endOf(ends: Extract<Step, { do: 'chunk' }>['ends']): Partial<ChunkResult> | Error {
  switch (ends) {
    case 'fails':
      return failureOf('RepositoryGone');
    case 'done':
      return { done: true };
    case 'limited':
      return {
        limited: { until: new Date(Date.now() + LIMIT_MS).toISOString(), why: 'Bitbucket allowance' },
      };
    default:
      return {};
  }
}

async function follow(steps: readonly Step[]): Promise<void> {
  const tenant = await bench.tenant('active');
  const ids = (await tenant.repositories(REPOSITORIES)).toSorted();
  const importId = await tenant.storeImport({ all: true });
  await bench.run(async (run) => {
    const { temporalAddress: address, temporalNamespace: namespace } = inject('servers');
    const { taskQueue } = run;
    const orchestrator = createOrchestrator({ address, namespace, taskQueue, commandTimeoutMs: 60_000 });
    try {
      const handles = createHandles(run, tenant, importId, orchestrator);
      await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
      let model = fresh();
      const at = async (
        candidates: readonly Model[],
        after: string,
        meanwhile: () => void = () => {},
      ): Promise<Model> => {
        const found = await waitFor({
          what: `${after} leads to ${JSON.stringify(candidates)}`,
          read: () => {
            meanwhile();
            return look().then((seen) => ({ seen, candidates }));
          },
          until: ({ seen }) => candidates.some((one) => isSeen(one, seen)),
          timeoutMs: 40_000,
        });
        return candidates.find((one) => isSeen(one, found.seen))!;
      };
      const look = async () => {
        const rows = await tenant.repositoryRows(importId);
        return {
          state: String((await tenant.importRow(importId))?.['state']),
          repositories: ids.map((id) => rows.find((row) => row.id === id)?.state ?? 'none'),
          underWay: await Promise.all(
            ids.map(async (id) => handles.underWay.has(id) || (await handles.isStopping(id))),
          ),
        };
      };
      model = await at([model], 'the start');

      // A pause on its way stops the chunk that ends meanwhile: its checkpoint is kept, its end is not, so it comes again.
      let isPauseOnItsWay = false;
      for (const step of steps) {
        let meanwhile = (): void => {};
        const before = structuredClone(model);
        const said = JSON.stringify({ before, step });
        switch (step.do) {
          case 'say':
          case 'restart while': {
            const wanted = say(model, step.what);
            const answer = handles.say(step.what);
            if (step.do === 'restart while') await run.restart();
            expect(await answer, said).toBe(wanted);
            break;
          }
          case 'say both': {
            const [one, other] = step.what;
            const answers = await Promise.all([handles.say(one), handles.say(other)]);
            const orders = [
              [one, other],
              [other, one],
            ] as const;
            const candidates = orders.flatMap(([first, second]) => {
              const after = structuredClone(before);
              const codes = new Map([[first, say(after, first)] as const]);
              codes.set(second, say(after, second));
              return codes.get(one) === answers[0] && codes.get(other) === answers[1] ? [after] : [];
            });
            isPauseOnItsWay ||= step.what.includes('pause');
            expect(candidates.length, `${said} was answered ${JSON.stringify(answers)}`).toBeGreaterThan(0);
            model = await at(candidates, said);
            break;
          }
          case 'chunk': {
            if (model.paused || model.repositories[step.of] !== 'open') break;
            const id = ids[step.of]!;
            handles.endChunk(id, endOf(step.ends));
            if (isPauseOnItsWay && (step.ends === 'done' || step.ends === 'fails')) {
              meanwhile = () => handles.underWay.has(id) && handles.endChunk(id, endOf(step.ends));
            }
            isPauseOnItsWay = false;
            if (step.ends === 'done') model.repositories[step.of] = 'completed';
            if (step.ends === 'fails') model.repositories[step.of] = 'failed';
            end(model);
            break;
          }
          case 'restart workers':
            await run.restart();
            break;
          default:
            await handles.lose(step.do === 'lose both runs');
            model.resumed = false;
        }
        model = await at([model], said, meanwhile);
      }

      // In the end everything is read that nobody cancelled.
      if (model.paused) expect(await handles.say('resume')).toBe(say(model, 'resume'));
      for (const [index, id] of ids.entries()) {
        if (model.repositories[index] !== 'open') continue;
        await at([model], 'the last resume');
        const done = (): void => {
          if (handles.underWay.has(id)) handles.endChunk(id, { done: true });
        };
        done();
        model.repositories[index] = 'completed';
        end(model);
        await at([model], 'the end of a repository', isPauseOnItsWay ? done : undefined);
      }
      await at([model], 'the end');
      await expectTold(tenant, importId, model);
    } finally {
      await orchestrator.close();
    }
  }, integrationGoesOn(tenant));
}

interface Seen {
  state: string;
  repositories: string[];
  underWay: (boolean | 'stopping')[];
}

/** Whether rows and work are what the model says. */
function isSeen(model: Model, { state, repositories, underWay }: Seen): boolean {
  if (state !== (model.ended ?? (model.paused ? 'paused' : 'running'))) return false;
  return model.repositories.every((wanted, at) => {
    const row = repositories[at] ?? 'none';
    if (wanted !== 'open') return row === wanted && underWay[at] === false;
    const isOpen = row !== 'failed' && !isEndedImport(row as never);
    return isOpen && underWay[at] === !model.paused;
  });
}

const EVENTS: Record<Said, string> = {
  pause: 'import_paused',
  resume: 'import_resumed',
  cancel: 'import_cancelling',
  retry: 'import_retried',
};

/** Each command that changed something is told once, the others not at all. */
async function expectTold(tenant: TestTenant, importId: string, { changes }: Model): Promise<void> {
  const events = await tenant.events(importId);
  for (const what of SAID) {
    expect(
      events.filter((type) => type === EVENTS[what]),
      what,
    ).toHaveLength(changes[what] ?? 0);
  }
}

/** What few random runs may leave out: failed ones tried again while others are read, and commands that meet. */
const ALWAYS: Step[] = [
  { do: 'chunk', of: 0, ends: 'fails' },
  { do: 'say', what: 'retry' },
  { do: 'say both', what: ['pause', 'resume'] },
  { do: 'say', what: 'resume' },
  { do: 'say', what: 'pause' },
  { do: 'lose the run' },
  { do: 'say both', what: ['resume', 'retry'] },
  { do: 'chunk', of: 1, ends: 'fails' },
  { do: 'chunk', of: 0, ends: 'done' },
  { do: 'say both', what: ['retry', 'cancel'] },
];

const RUNS = Number(process.env['MODEL_RUNS'] ?? 4);

test(
  'random commands, two different ones at once, chunks that end in every way, restarted workers and lost runs lead where the guide says',
  async () => {
    await expect(
      fc.assert(fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 12 }), follow), {
        numRuns: RUNS,
        examples: [[ALWAYS]],
        endOnFailure: true,
      }),
    ).resolves.toBeUndefined();
  },
  RUNS * 60_000,
);
