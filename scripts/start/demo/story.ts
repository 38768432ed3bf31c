import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { createOperator } from '../../apiKeys/operator.ts';
import type { Installation } from '../installation.ts';
import { tellAfterwards } from './afterwards.ts';
import { createBrowser } from './browser.ts';
import type { MeasureTaker } from './measures.ts';
import { createProgressView } from './progress.ts';
import {
  type Check,
  createPublicApi,
  type Import,
  type ImportRepository,
  type PublicApi,
} from './publicApi.ts';
import { createSource } from './source.ts';
import { type Summary, summarise, summaryLines, type ToldSummary } from './summary.ts';
import { waitForDiscovery } from './waitForDiscovery.ts';

export interface StoryOptions {
  readonly apiUrl: string;
  readonly simulatorUrl: string;
  readonly installation: Installation;
  readonly say: (line: string) => void;
  /** bars instead of lines */
  readonly terminal: boolean;
  readonly measures: MeasureTaker;
}

const ORGANIZATION = 'demo';
const NAME = 'Acme on Bitbucket Cloud';
/** Where a product backend would take the browser back; nothing listens there, the demo's browser stops before it. */
const RETURN_URL = 'http://127.0.0.1:4499/connected';
const ENDED = ['completed', 'completed_with_failures', 'cancelled'];

/** Makes the demo's organization and key once, as the operator would. */
export async function demoKey(ownerUrl: string, installation: Installation): Promise<string> {
  const { apiKey } = installation.memory;
  if (apiKey !== undefined) return apiKey;
  const operator = createOperator(ownerUrl);
  try {
    const { key, organizationId } = await operator.createKey({
      organization: ORGANIZATION,
      role: 'admin',
      label: 'npm start',
    });
    await operator.addReturnUrl(ORGANIZATION, RETURN_URL);
    await installation.remember({ apiKey: key, organizationId });
    return key;
  } finally {
    await operator.end();
  }
}

/** The main job and what comes after it, through the public HTTP API only. */
export async function tellStory(options: StoryOptions, key: string): Promise<ToldSummary> {
  const { say, installation } = options;
  const api = createPublicApi(options.apiUrl, key);
  const people = await readPeople(options.simulatorUrl);

  const known = installation.memory.integrationId;
  const before = known === undefined ? undefined : await api.readIntegration(known);
  const isFirst = before === undefined || before.name === null;
  const integrationId = before?.id ?? (await api.createIntegration()).id;
  await installation.remember({ integrationId });

  if (isFirst) {
    say('1. What goes wrong first: a wrong password, and an account with two-step verification');
    tellCheck(say, await api.checkConnection({ ...people.service, password: 'not the password' }));
    tellCheck(say, await api.checkConnection(people.twoFactor));
    say('2. Connect with OAuth: log in at Bitbucket, and consent');
  } else {
    say(`1. “${before.name}” is there already; the simulated host forgot its sessions, so connect it again`);
  }
  tellCheck(say, await connect(options, api, integrationId, people.admin));
  if (isFirst) {
    const { name, services } = await api.create(integrationId, NAME);
    say(`3. Created “${name}” with ${services.join(', ')}`);
  } else {
    await api.discover(integrationId);
  }
  const { workspaces, projects, repositories } = await waitForDiscovery(
    api,
    integrationId,
    before?.discovery,
  );
  say(`4. Discovered ${workspaces} workspaces, ${projects} projects, ${repositories} repositories`);
  const running = (await api.listImports(integrationId)).find(({ state }) => !ENDED.includes(state));
  say(running === undefined ? '5. Import everything' : '5. The import of the last start goes on');
  const started = running ?? (await api.startImport(integrationId));
  const summary = await followImport(options, api, started);
  say('6. Is it complete?');
  for (const line of summaryLines(summary)) say(line);
  const source = createSource(options.simulatorUrl);
  return { ...summary, afterwards: await tellAfterwards({ api, source, integrationId, say }) };
}

const credentialList = z.object({
  credentials: z.array(z.object({ name: z.string(), login: z.string().nullable(), secret: z.string() })),
});

/** The people of the simulated host: no secret of theirs is written in this project. */
async function readPeople(simulatorUrl: string) {
  const answer = await fetch(`${simulatorUrl}/_simulator/credentials`);
  const { credentials } = credentialList.parse(await answer.json());
  const basic = (name: string) => {
    const found = credentials.find((credential) => credential.name === name);
    if (found?.login === undefined || found.login === null)
      throw new Error(`The simulator has no credential ${name}.`);
    return { kind: 'basic', username: found.login, password: found.secret };
  };
  return {
    admin: basic('password.admin'),
    service: basic('password.service'),
    twoFactor: basic('password.member'),
  };
}

/** Plays the browser: authorize page, log-in, consent, and back to the product with a one-time completion. */
async function connect(
  { say }: StoryOptions,
  api: PublicApi,
  integrationId: string,
  person: { username: string; password: string },
): Promise<Check> {
  const browser = createBrowser({ stopAt: (url) => url.href.startsWith(RETURN_URL) });
  let page = await browser.open(await api.startOauth(integrationId, RETURN_URL));
  say(`   ${page.title}: logs in as ${person.username}`);
  page = await browser.submit(page, { username: person.username, password: person.password });
  say(`   ${page.title}: grants access`);
  page = await browser.submit(page, {}, /grant/i);
  const completion = page.url.searchParams.get('completion');
  if (completion === null)
    throw new Error(`The browser came back without a completion: ${page.text.slice(0, 300)}`);
  return api.completeOauth(integrationId, completion);
}

function tellCheck(say: (line: string) => void, { verdict, report }: Check): void {
  const account = report?.account ?? null;
  say(`   check: ${verdict}${account === null ? '' : `, connected as ${account.name}`}`);
  if (report !== null && verdict !== 'failed') {
    say(`     services: ${report.services.map(({ service, status }) => `${service} ${status}`).join(', ')}`);
    say(
      `     webhooks: ${report.webhooks.map(({ workspace, status }) => `${workspace} ${status}`).join(', ')}`,
    );
    const { visible } = report;
    if (visible !== null) {
      say(
        `     sees ${visible.workspaces} workspaces, ${visible.projects ?? '?'} projects, ${visible.repositories} repositories`,
      );
    }
  }
  for (const { severity, code, message, remedy } of report?.findings ?? []) {
    say(`     ${severity} ${code}: ${message}`);
    say(`       → ${remedy}`);
  }
}

async function followImport(
  { say, terminal, measures }: StoryOptions,
  api: PublicApi,
  started: Import,
): Promise<Summary> {
  const view = createProgressView(say, terminal);
  try {
    for (;;) {
      const now = await api.readImport(started.id);
      const repositories = await api.importRepositories(started.id);
      view.update(repositories.map(progressOf));
      await measures.sample();
      if (ENDED.includes(now.state))
        return summarise(now, repositories, await measures.since(now.created_at));
      await sleep(500);
    }
  } finally {
    view.close();
  }
}

function progressOf({ full_name: name, state, streams, error, waiting }: ImportRepository) {
  const known = streams.filter(({ expected }) => expected !== null);
  const waits =
    waiting?.reason === undefined || waiting.reason === null
      ? undefined
      : `${waiting.reason} until ${waiting.until ?? '?'}`;
  return {
    name,
    state,
    stored: streams.reduce((sum, { stored }) => sum + stored, 0),
    expected: known.length === 0 ? undefined : known.reduce((sum, { expected }) => sum + (expected ?? 0), 0),
    note: error?.message ?? waits,
  };
}
