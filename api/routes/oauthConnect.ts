import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { holdsApiKey } from '../../db/queries/api/apiKeys.ts';
import { findFlowByCompletion, readReturnedFlow } from '../../db/queries/api/oauthFlows.ts';
import { readIntegration } from '../../db/queries/api/integrations.ts';
import type { ApiApp, ApiEnv } from '../dependencies.ts';
import { completeFlow } from '../oauth/complete.ts';
import { DENIED, STATE_INVALID } from '../oauth/findings.ts';
import { showPage } from '../oauth/pages.ts';
import { tokenHash } from '../oauth/tokens.ts';
import { operation } from '../operation.ts';
import { Problem, PROBLEM_TYPE, problemSchema } from '../problem.ts';
import { presentCheck } from '../schemas/check.ts';

const PATH = '/v1/oauth/connect';
// What is malformed is as good as missing: a person reads the answer, and it is the same.
const text = z.string().max(200).optional().catch(undefined).openapi({ type: 'string' });

const askRoute = operation({
  method: 'get',
  path: PATH,
  operationId: 'askBeforeConnecting',
  summary: 'The page that asks before it connects',
  description:
    'Names the organization and integration that would receive the account, and waits for a click.',
  tags: ['Connecting'],
  role: null,
  request: {
    query: z.object({
      completion: text,
      error: text,
      integration_id: text,
    }),
  },
  responses: {
    200: {
      description: 'The page with the Connect button.',
      content: { 'text/html': { schema: z.string() } },
    },
  },
  problems: [503],
  page: true,
});

const connectRoute = operation({
  method: 'post',
  path: PATH,
  operationId: 'connectInBrowser',
  summary: 'The click on Connect',
  tags: ['Connecting'],
  role: null,
  request: {
    body: {
      content: { 'application/x-www-form-urlencoded': { schema: z.object({ completion: text }) } },
      required: true,
    },
  },
  responses: {
    200: { description: 'How the check ended, in words.', content: { 'text/html': { schema: z.string() } } },
    409: {
      description: 'The integration cannot be connected now.',
      content: { 'text/html': { schema: z.string() } },
    },
    503: {
      description: 'Not available at the moment.',
      content: { 'text/html': { schema: z.string() }, [PROBLEM_TYPE]: { schema: problemSchema } },
    },
  },
  problems: [403, 413, 415],
  problemTexts: { 403: 'The form was not sent from its own page (`other_site`).' },
  page: true,
});

export function addOauthConnect(app: ApiApp): void {
  app.openapi(askRoute, async (c) => {
    const query = c.req.valid('query');
    if (query.error !== undefined) {
      return showPage(c, {
        status: 400,
        title: 'Not connected',
        text: [DENIED.message],
        remedy: DENIED.remedy,
      });
    }
    const hash = tokenHash(query.completion ?? '');
    const { database } = c.var.dependencies;
    const found = await findFlowByCompletion(database, hash);
    const flow =
      found === null
        ? null
        : await database.transaction(found.organizationId, (tx) => readReturnedFlow(tx, hash));
    if (flow === null || query.completion === undefined) return invalidPage(c);
    const integration =
      flow.integrationName === null ? 'a new integration' : `the integration “${flow.integrationName}”`;
    return showPage(c, {
      status: 200,
      title: `Connect Bitbucket to ${flow.organizationName}?`,
      text: [
        `Your Bitbucket account will be connected to ${integration} of ${flow.organizationName}. They can then read what this account can see.`,
        'Connect only if you started this yourself.',
      ],
      connect: { completion: query.completion, action: PATH },
    });
  });

  app.openapi(connectRoute, async (c) => {
    refuseOtherSites(c);
    const { completion: given } = c.req.valid('form');
    const { dependencies } = c.var;
    const { database } = dependencies;
    const hash = tokenHash(given ?? '');
    const found = await findFlowByCompletion(database, hash);
    if (found === null || given === undefined) return invalidPage(c);
    const integration = await database.transaction(found.organizationId, async (tx) => {
      const flow = await readReturnedFlow(tx, hash);
      // The click acts for the key that began it.
      if (flow === null || !(await holdsApiKey(tx, flow.startedByKey))) return null;
      return readIntegration(tx, flow.integrationId);
    });
    if (integration === null) return invalidPage(c);
    try {
      const check = await completeFlow(dependencies, integration, {
        completion: given,
        actorOf: (flow) => ({ apiKeyId: flow.startedByKey, actingUser: flow.startedByUser }),
        signal: c.req.raw.signal,
      });
      return check === null ? invalidPage(c) : showPage(c, resultOf(presentCheck(check)));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      for (const [name, value] of Object.entries(error.headers)) c.header(name, value);
      // The completion was given back: the same button is good for another try.
      const again =
        error.status === 503
          ? { remedy: 'Press Connect again in a moment.', connect: { completion: given, action: PATH } }
          : { remedy: error.fix };
      return showPage(c, { status: error.status, title: 'Not connected', text: [error.message], ...again });
    }
  });
}

const invalidPage = (c: Context<ApiEnv>) =>
  showPage(c, {
    status: 400,
    title: 'Not connected',
    text: [STATE_INVALID.message],
    remedy: STATE_INVALID.remedy,
  });

/** A form of another site must not press the button: the browser tells by Sec-Fetch-Site, older ones by Origin. */
function refuseOtherSites(c: Context<ApiEnv>): void {
  const site = c.req.header('Sec-Fetch-Site');
  const own =
    site === undefined
      ? c.req.header('Origin') === new URL(c.var.dependencies.publicUrl).origin
      : site === 'same-origin';
  if (own) return;
  throw new Problem({
    status: 403,
    code: 'other_site',
    detail: 'This form was not sent from its own page.',
    fix: 'Start again with Connect, and press the button on the page that opens.',
  });
}

function resultOf(check: ReturnType<typeof presentCheck>) {
  if (check.state === 'running') {
    return {
      status: 200 as const,
      title: 'Still checking',
      text: [
        'Bitbucket takes longer than usual. The result will show where you started; you can close this page.',
      ],
    };
  }
  if (check.message !== null) {
    return {
      status: 200 as const,
      title: 'Connected',
      text: [check.message.text, 'You can close this page and go on where you started.'],
    };
  }
  const findings = check.report?.findings ?? [];
  return {
    status: 200 as const,
    title: 'Not connected',
    text: findings.map((finding) => finding.message).slice(0, 5),
    remedy: findings[0]?.remedy ?? STATE_INVALID.remedy,
  };
}
