import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as messages from '../../workflows/messages.ts';
import { type IntegrationState, type Service, SERVICES } from '../../workflows/words.ts';
import { refusal } from '../support/fakeBitbucket.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  command,
  handleOf,
  integrationGoesOn,
  refusalOf,
  useWorkflowBench,
} from '../support/workflowBench.ts';
import type { WorkflowRun } from '../support/workflows.ts';

const bench = useWorkflowBench();

/** What the guide says, in a few lines: states and names, nothing of how it is done. */
interface Model {
  state: IntegrationState | 'deleted';
  name: string | null;
  services: readonly Service[];
}

type Command =
  | { do: 'create' | 'rename'; name: string }
  | { do: 'services'; services: Service[] }
  | { do: 'pause' | 'resume' | 'discover' | 'import' };
type Step =
  | Command
  | { do: 'submit'; passes: boolean }
  | { do: 'deleteDraft' | 'restart workers' | 'lose the run' };
/** Two different commands at once: they must end as one of their orders. */
interface Both {
  do: 'both';
  commands: [Command, Command];
}

const anyName = fc.constantFrom('Acme', 'Beta');
const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('create' as const, 'rename' as const), name: anyName }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('services' as const),
      services: fc.subarray<Service>([...SERVICES], { minLength: 0 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('pause' as const, 'resume' as const, 'discover' as const, 'import' as const),
    }),
  },
);
const anyTwo: fc.Arbitrary<Both> = fc.record({
  do: fc.constant('both' as const),
  commands: fc.tuple(anyCommand, anyCommand).filter(([one, other]) => !isDeepStrictEqual(one, other)),
});
const anyStep: fc.Arbitrary<Step | Both> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('submit' as const), passes: fc.boolean() }) },
  { weight: 7, arbitrary: anyCommand },
  { weight: 3, arbitrary: anyTwo },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteDraft' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('restart workers' as const, 'lose the run' as const) }),
  },
);

const isDraft = ({ state }: Model): boolean => state === 'awaiting_credential' || state === 'connected';

/** The refusal that the guide asks for, or undefined; changes the model when there is none. */
function expected(model: Model, step: Step): string | undefined {
  switch (step.do) {
    case 'submit':
      if (step.passes && model.state === 'awaiting_credential') model.state = 'connected';
      return undefined;
    case 'create':
      if (model.state === 'awaiting_credential') return 'needs_connection';
      if (!isDraft(model)) return model.name === step.name ? undefined : 'already_created';
      Object.assign(model, { state: 'active', name: step.name, services: SERVICES });
      return undefined;
    case 'rename':
      if (isDraft(model)) return 'needs_create';
      model.name = step.name;
      return undefined;
    case 'services':
      if (isDraft(model)) return 'needs_create';
      if (step.services.length === 0) return 'nothing_chosen';
      model.services = step.services;
      return undefined;
    case 'discover':
    case 'import':
      if (isDraft(model)) return step.do === 'import' ? 'import_needs_create' : 'needs_create';
      return model.state === 'paused' ? 'paused' : undefined;
    case 'pause':
    case 'resume':
      if (isDraft(model)) return 'needs_create';
      model.state = step.do === 'pause' ? 'paused' : 'active';
      return undefined;
    case 'deleteDraft':
      if (!isDraft(model)) return 'already_created';
      model.state = 'deleted';
      return undefined;
    default:
      return undefined;
  }
}

type Run = WorkflowRun & { bitbucket: { refused: Map<string, typeof refusal> } };

/** A command, ready to be sent. */
async function ready(run: Run, tenant: TestTenant, step: Command): Promise<() => Promise<unknown>> {
  switch (step.do) {
    case 'create':
      return () => command(run, tenant, messages.create, { name: step.name, services: null, actor });
    case 'rename':
      return () => command(run, tenant, messages.rename, { name: step.name, actor });
    case 'services':
      return () => command(run, tenant, messages.changeServices, { services: step.services, actor });
    case 'pause':
      return () => command(run, tenant, messages.pause, { actor });
    case 'resume':
      return () => command(run, tenant, messages.resume, { actor });
    case 'discover':
      return () => command(run, tenant, messages.discover, { actor });
    case 'import': {
      const importId = await tenant.storeImport({ all: true });
      return () => command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
    }
  }
}

/** Each command is sent twice at once: the same command twice changes nothing and is answered the same. */
async function act(run: Run, tenant: TestTenant, step: Step) {
  const twice = async (send: () => Promise<unknown>): Promise<string | undefined> => {
    const [one, other] = await Promise.all([refusalOf(send()), refusalOf(send())]);
    expect(one).toBe(other);
    return one;
  };
  switch (step.do) {
    case 'submit': {
      const check = await tenant.credential();
      if (!step.passes) run.bitbucket.refused.set(check.credentialId, refusal);
      const refused = await twice(() => command(run, tenant, messages.submitCredential, { ...check, actor }));
      const lastState = async () =>
        (await tenant.credentialStates()).find(({ id }) => id === check.credentialId)?.state;
      await waitFor({
        what: 'the check is applied',
        read: lastState,
        until: (state) => state !== 'candidate',
      });
      return refused;
    }
    case 'deleteDraft':
      return refusalOf(command(run, tenant, messages.deleteDraft, { actor }));
    case 'restart workers':
      await run.restart();
      return undefined;
    case 'lose the run':
      // Terminated by an operator, or never begun: the next command starts it from the row.
      await handleOf(run.client, tenant)
        .terminate('by the test')
        .catch(() => undefined);
      return undefined;
    default:
      return twice(await ready(run, tenant, step));
  }
}

/** Both at once, and what the model may be then: as after one of their orders in which both are answered so. */
async function actBoth(run: Run, tenant: TestTenant, before: Model, { commands }: Both): Promise<Model[]> {
  const [one, other] = commands;
  const [sendOne, sendOther] = [await ready(run, tenant, one), await ready(run, tenant, other)];
  const answers = await Promise.all([refusalOf(sendOne()), refusalOf(sendOther())]);
  const outcomes = [commands, [other, one] as const].flatMap(([first, second]) => {
    const model = { ...before };
    const wanted = [expected(model, first), expected(model, second)];
    const inOrderOfSending = first === one ? wanted : wanted.toReversed();
    return isDeepStrictEqual(inOrderOfSending, answers) ? [model] : [];
  });
  expect(outcomes.length, JSON.stringify({ before, commands, answers })).toBeGreaterThan(0);
  return outcomes;
}

/** A lost run leaves its row as it stood, so nothing goes on before the row says what the model says. */
async function untilModel(tenant: TestTenant, models: readonly Model[], after: string): Promise<Model> {
  const reached = (row: Record<string, unknown> | undefined) =>
    models.find(
      ({ state, name, services }) =>
        row?.['state'] === state && row['name'] === name && isDeepStrictEqual(row['services'], [...services]),
    );
  const row = await waitFor({
    what: `${after} leads to ${models.map(({ state }) => state).join(' or ')}`,
    read: () => tenant.integration(),
    until: (found) => reached(found) !== undefined,
    timeoutMs: 20_000,
  });
  return { ...reached(row)! };
}

async function follow(steps: readonly (Step | Both)[]): Promise<void> {
  const tenant = await bench.tenant();
  await bench.run(async (run) => {
    let model: Model = { state: 'awaiting_credential', name: null, services: [] };
    // A first credential that fails, so that there is a run from the start.
    await act(run, tenant, { do: 'submit', passes: false });
    await untilModel(tenant, [model], 'the first credential');
    for (const step of steps) {
      const before = { ...model };
      if (step.do === 'both') {
        const outcomes = await actBoth(run, tenant, before, step);
        model = await untilModel(tenant, outcomes, JSON.stringify({ before, step }));
        continue;
      }
      const wanted = expected(model, step);
      expect(await act(run, tenant, step), JSON.stringify({ before, step })).toBe(wanted);
      if (model.state === 'deleted') break;
      await untilModel(tenant, [model], JSON.stringify({ before, step }));
    }
    if (model.state === 'deleted') expect(await tenant.integration()).toBeUndefined();
    // An import that was not over when the integration was paused goes on with it, so none is left at the end.
    if (model.state === 'paused') await act(run, tenant, { do: 'resume' });
  }, integrationGoesOn(tenant));
}

/** What few random runs may leave out: commands of a created integration that meet. */
const ALWAYS: (Step | Both)[] = [
  { do: 'submit', passes: true },
  { do: 'both', commands: [{ do: 'create', name: 'Acme' }, { do: 'pause' }] },
  { do: 'create', name: 'Acme' },
  { do: 'resume' },
  { do: 'both', commands: [{ do: 'pause' }, { do: 'rename', name: 'Beta' }] },
  { do: 'both', commands: [{ do: 'resume' }, { do: 'import' }] },
  { do: 'both', commands: [{ do: 'services', services: ['tickets'] }, { do: 'pause' }] },
  {
    do: 'both',
    commands: [
      { do: 'services', services: ['repositories', 'tickets'] },
      { do: 'services', services: ['repositories'] },
    ],
  },
];

const RUNS = Number(process.env['MODEL_RUNS'] ?? 6);

test(
  'random commands, each twice at once or with another, with restarted workers and lost runs, lead where the guide says',
  async () => {
    await expect(
      fc.assert(fc.asyncProperty(fc.array(anyStep, { minLength: 4, maxLength: 14 }), follow), {
        numRuns: RUNS,
        examples: [[ALWAYS]],
        endOnFailure: true,
      }),
    ).resolves.toBeUndefined();
  },
  RUNS * 30_000,
);
