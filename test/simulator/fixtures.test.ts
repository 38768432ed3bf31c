import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { KNOWN_SHAPES, type KnownShape } from './support/knownShapes.ts';
import { SHARED_IS_HERE } from './support/openapi.ts';
import { partsOf, RECORDED, readRecording } from './support/recordings.ts';
import { addShape, compareShapes, type Shape } from './support/shape.ts';
import { type Answer, createVisitor, routeOf, tour } from './support/tour.ts';

/** Places whose keys are data: which fields an update changed. */
const OPEN = /(^|\/)changes$/;

describe.skipIf(!SHARED_IS_HERE)('answers have the shape of the payloads recorded in ../shared', () => {
  let simulator: Simulator;
  const used = new Set<KnownShape>();
  const answers: (Answer & { route: string | undefined })[] = [];

  // The era of the guide has everything that today's has, and the tickets.
  beforeAll(async () => {
    simulator = await createSimulator({ era: 'guide', limit: 0, size: 'tiny' });
    const visitor = createVisitor(simulator, (answer) => {
      answers.push({ ...answer, route: routeOf(simulator.routes, answer) });
    });
    await tour(visitor);
  });

  afterAll(() => simulator.close());

  function isKnown(side: KnownShape['side'], place: string): boolean {
    const known = KNOWN_SHAPES.filter((each) => each.side === side && each.at.test(place));
    for (const each of known) used.add(each);
    return known.length > 0;
  }

  test.each(RECORDED)('$name', (kind) => {
    const recorded: Shape = new Map();
    const ours: Shape = new Map();
    for (const [file, way] of kind.files) {
      for (const value of readRecording(file, way)) addShape(recorded, value, OPEN);
    }
    for (const value of partsOf(answers, kind)) addShape(ours, value, OPEN);
    const differences = compareShapes(recorded, ours);
    expect(ours.size).toBeGreaterThan(0);
    for (const side of ['missing', 'invented', 'otherType'] as const) {
      const unknown = differences[side].filter((place) => !isKnown(side, `${kind.name}: ${place}`));
      expect(unknown, side).toEqual([]);
    }
  });

  test('error bodies', async () => {
    const { ask } = createVisitor(simulator, () => {});
    const [noApi] = readRecording('gildas-bitbucket-cli/testdata/error-noapi.json', '');
    expect((await ask('/nowhere')).body).toEqual(noApi);
    const [privileges] = readRecording('gildas-bitbucket-cli/testdata/error-privileges.json', '');
    const { body } = await ask('/user/workspaces', { credential: 'api_token.no_workspace' });
    const recorded: Shape = new Map();
    const ours: Shape = new Map();
    addShape(recorded, privileges, OPEN);
    addShape(ours, body, OPEN);
    expect(ours).toEqual(recorded);
  });

  test('every known difference is still one', () => {
    expect(KNOWN_SHAPES.filter((known) => !used.has(known)).map(({ because }) => because)).toEqual([]);
  });
});
