import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { KNOWN_DIFFERENCES } from './support/knownDifferences.ts';
import { createOpenApi, type OpenApi, SHARED_IS_HERE } from './support/openapi.ts';
import { type Answer, createVisitor, refusals, routeOf, tour } from './support/tour.ts';

/** Lists whose 200 the document leaves without a schema: what their items are instead. */
const ITEMS: {
  route: RegExp;
  schemaOf: (item: Record<string, unknown>) => [schema: string, body: unknown][];
}[] = [
  { route: /\/pullrequests\/:id\/commits$/, schemaOf: (item) => [['commit', item]] },
  {
    route: /\/activity$/,
    schemaOf: ({ comment, approval }) => [
      ...(comment === undefined ? [] : [['pullrequest_comment', comment] as [string, unknown]]),
      ...(approval === undefined ? [] : [['account', Object(approval).user] as [string, unknown]]),
    ],
  },
];

// `../shared` stands beside the checkout where the project is built; elsewhere this is skipped, and says so.
describe.skipIf(!SHARED_IS_HERE)('answers validate against the OpenAPI document in ../shared', () => {
  let openApi: OpenApi;

  beforeAll(() => {
    openApi = createOpenApi(KNOWN_DIFFERENCES);
  });

  describe.each(['guide', 'today'] as const)('in era %s', (era) => {
    let simulator: Simulator;
    const answers: (Answer & { route: string | undefined })[] = [];

    beforeAll(async () => {
      simulator = await createSimulator({ era, limit: 0, size: 'tiny' });
      const visitor = createVisitor(simulator, (answer) => {
        answers.push({ ...answer, route: routeOf(simulator.routes, answer) });
      });
      await tour(visitor);
      await refusals(visitor);
    });

    afterAll(() => simulator.close());

    test('every address is asked and answers with what it is for', () => {
      const good = new Set([200, 201, 204, 302, 410]);
      const asked = new Set(answers.filter(({ status }) => good.has(status)).map(routeWithMethod));
      expect(simulator.routes.filter((route) => !asked.has(route))).toEqual([]);
      expect(answers.map(({ status }) => status)).toEqual(expect.arrayContaining([400, 401, 403, 404]));
    });

    test('every answer is as documented', () => {
      const times = new Map<string, number>();
      for (const answer of answers) {
        for (const finding of findingsOf(openApi, answer)) times.set(finding, (times.get(finding) ?? 0) + 1);
      }
      expect([...times].map(([finding, count]) => `${count} × ${finding}`)).toEqual([]);
    });
  });

  test('every known difference is still one', () => {
    expect(openApi.unused().map(({ because }) => because)).toEqual([]);
  });
});

function findingsOf(
  openApi: OpenApi,
  { method, path, route, status, body }: Answer & { route: string | undefined },
): string[] {
  // Diffs and web pages are text; their statuses are what the document says about them.
  if (typeof body === 'string') return [];
  const template = route && openApi.templateOf(route);
  const checked = template && openApi.check(template, method.toLowerCase(), status, body);
  const findings = checked || withoutSchema(openApi, route, status, body);
  return findings.map((finding) => `${method} ${template ?? path} ${status} ${finding}`);
}

function withoutSchema(openApi: OpenApi, route: string | undefined, status: number, body: unknown): string[] {
  if (status >= 400) return openApi.checkSchema('error', body);
  const items = ITEMS.find((each) => each.route.test(route ?? ''));
  if (!items) return ['the document has no schema for it'];
  const values: Record<string, unknown>[] = Object(body).values;
  return values.flatMap((item) =>
    items.schemaOf(item).flatMap(([schema, part]) => openApi.checkSchema(schema, part)),
  );
}

const routeWithMethod = ({ method, route }: { method: string; route: string | undefined }) =>
  `${method} ${route}`;
