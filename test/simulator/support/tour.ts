import type { Simulator } from '../../../simulator/simulator.ts';

export interface Answer {
  method: string;
  /** What follows `/2.0`, without the query. */
  path: string;
  status: number;
  /** Parsed when it says it is JSON, else the text. */
  body: unknown;
  headers: Headers;
}

export interface AskOptions {
  credential?: string | null;
  method?: string;
  json?: object;
}

type Item = Record<string, unknown>;

const WORKSPACE = '/workspaces/acme-rockets';
const ODD = '/repositories/acme-rockets/flight-control';
const ALL_STATES = 'state=OPEN&state=MERGED&state=DECLINED&state=SUPERSEDED';

/** Asks a simulator as a client would; every answer goes to `seen`. */
export function createVisitor(simulator: Simulator, seen: (answer: Answer) => void) {
  async function ask(target: string, options: AskOptions = {}): Promise<Answer> {
    const name = options.credential === undefined ? 'api_token.admin' : options.credential;
    const held = name === null ? undefined : simulator.credential(name);
    const pair = held?.login === null ? undefined : held && `${held.login}:${held.secret}`;
    const method = options.method ?? 'GET';
    const response = await fetch(`${simulator.apiUrl}${target}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(pair ? { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } : {}),
        ...(held && !pair ? { authorization: `Bearer ${held.secret}` } : {}),
        ...(options.json ? { 'content-type': 'application/json' } : {}),
      },
      ...(options.json ? { body: JSON.stringify(options.json) } : {}),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    const [path = ''] = target.split('?');
    const body: unknown = isJson ? JSON.parse(text) : text;
    const answer = { method, path, status: response.status, body, headers: response.headers };
    seen(answer);
    return answer;
  }

  /** All pages of a list; at most `most` pages. */
  async function all(target: string, most = 20): Promise<Item[]> {
    const items: Item[] = [];
    let next: string | undefined = target;
    for (let page = 0; next !== undefined && page < most; page += 1) {
      const { body } = await ask(next);
      const envelope: { values?: Item[]; next?: string } = Object(body);
      items.push(...(envelope.values ?? []));
      next = envelope.next?.replace(simulator.apiUrl, '');
    }
    return items;
  }

  return { ask, all };
}

type Visitor = ReturnType<typeof createVisitor>;

/** Visits every GET address and the webhooks' writing ones, with the oddest data there is. */
export async function tour(visitor: Visitor): Promise<void> {
  await visitAccounts(visitor);
  await visitRepositories(visitor);
  await visitPullRequests(visitor);
  await visitTickets(visitor);
  for (const home of [ODD, WORKSPACE]) await visitHooks(visitor, home);
  for (const path of ['/repositories', '/workspaces', '/user/permissions/workspaces', '/teams']) {
    await visitor.ask(path);
  }
  await visitor.ask('/user/permissions/repositories');
}

async function visitAccounts({ ask, all }: Visitor): Promise<void> {
  const user: Item = Object((await ask('/user')).body);
  await ask(`/users/${encodeURIComponent(String(user.uuid))}`);
  await all('/user/workspaces');
  for (const workspace of ['acme-rockets', 'globex']) {
    await ask(`/user/workspaces/${workspace}/permission`);
    await all(`/user/workspaces/${workspace}/permissions/repositories`);
    await ask(`/workspaces/${workspace}`);
    await all(`/workspaces/${workspace}/members`);
    await all(`/workspaces/${workspace}/permissions`);
    await all(`/workspaces/${workspace}/permissions/repositories`);
    const projects = await all(`/workspaces/${workspace}/projects`);
    for (const { key } of projects) await ask(`/workspaces/${workspace}/projects/${String(key)}`);
  }
  await ask(`${WORKSPACE}/members/${encodeURIComponent(String(user.uuid))}`);
  await all(`${WORKSPACE}/permissions/repositories/flight-control`);
  await all(`${WORKSPACE}/pullrequests/${encodeURIComponent(String(user.uuid))}?${ALL_STATES}`);
  const events = Object.keys(Object((await ask('/hook_events')).body));
  for (const subject of events) await all(`/hook_events/${subject}`);
}

async function visitRepositories({ ask, all }: Visitor): Promise<void> {
  for (const workspace of ['acme-rockets', 'globex']) {
    for (const { full_name: name } of await all(`/repositories/${workspace}`)) {
      await ask(`/repositories/${String(name)}`);
      await all(`/repositories/${String(name)}/commits`, 2);
    }
  }
  await all(`${ODD}/forks`);
  await all('/repositories/acme-rockets/telemetry/forks');
  const commits = await all(`${ODD}/commits?pagelen=100`);
  await ask(`${ODD}/commits`, { method: 'POST' });
  await ask(`${ODD}/commits/main`, { method: 'POST' });
  await all(`${ODD}/commits/main`, 2);
  for (const { hash } of commits) {
    await ask(`${ODD}/commit/${String(hash)}`);
    await ask(`${ODD}/diffstat/${String(hash)}`);
  }
  await all(`${ODD}/refs`);
  for (const kind of ['branches', 'tags']) {
    for (const { name } of await all(`${ODD}/refs/${kind}`)) {
      await ask(`${ODD}/refs/${kind}/${encodeURIComponent(String(name))}`);
    }
  }
}

async function visitPullRequests({ ask, all }: Visitor): Promise<void> {
  const fields = 'fields=%2Bvalues.participants,%2Bvalues.reviewers';
  const base = `${ODD}/pullrequests`;
  await all(`${base}/activity?pagelen=50`);
  for (const { id } of await all(`${base}?${ALL_STATES}&pagelen=50&${fields}`)) {
    await ask(`${base}/${String(id)}`);
    for (const part of ['activity', 'commits', 'statuses', 'diffstat', 'diff']) {
      await ask(`${base}/${String(id)}/${part}`);
    }
    for (const comment of await all(`${base}/${String(id)}/comments`)) {
      await ask(`${base}/${String(id)}/comments/${String(comment.id)}`);
    }
  }
}

async function visitTickets({ ask, all }: Visitor): Promise<void> {
  for (const { id } of await all(`${ODD}/issues`)) {
    for (const part of ['', '/comments', '/changes']) await ask(`${ODD}/issues/${String(id)}${part}`);
  }
  // Today all of the tracker is gone, whatever one asks of it.
  for (const part of ['issues', 'components', 'milestones', 'versions']) {
    await all(`${ODD}/${part}`);
    for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
      for (const end of ['', '/1']) await ask(`${ODD}/${part}${end}`, { method });
    }
  }
}

async function visitHooks({ ask, all }: Visitor, home: string): Promise<void> {
  const wanted = {
    description: 'A hook',
    url: 'http://127.0.0.1:9/hook',
    active: true,
    secret: 'canary',
    events: ['repo:push', 'pullrequest:created'],
  };
  const hook: Item = Object((await ask(`${home}/hooks`, { method: 'POST', json: wanted })).body);
  const place = `${home}/hooks/${encodeURIComponent(String(hook.uuid))}`;
  await all(`${home}/hooks`);
  await ask(place);
  await ask(place, { method: 'PUT', json: { ...wanted, description: 'Another' } });
  await ask(place, { method: 'DELETE' });
}

/** The ways to be refused: 400, 401, 403, 404. */
export async function refusals({ ask }: Visitor): Promise<void> {
  await ask('/user', { credential: 'api_token.expired' });
  await ask('/user', { credential: 'access_token.repository' });
  await ask('/user/workspaces', { credential: 'api_token.no_workspace' });
  await ask(`${ODD}/pullrequests`, { credential: 'api_token.no_pull_requests' });
  await ask(`${WORKSPACE}/hooks`, { credential: 'api_token.member' });
  await ask(`${ODD}/pullrequests`, { credential: null });
  await ask(`${ODD}/pullrequests?pagelen=51`);
  await ask(`${ODD}/pullrequests?q=nonsense+%3D+1`);
  await ask(`${ODD}/pullrequests/99999`);
  await ask(`${ODD}/commit/ffffffffffff`);
  await ask(`${ODD}/commits?include=ffffffffffff`);
  await ask('/repositories/acme-rockets/nowhere');
  await ask('/repositories/acme-rockets/nowhere/refs/branches');
  await ask('/workspaces/nowhere');
  await ask('/nowhere/at/all');
}

/** The simulator's route of a request; of several that fit the one with the most fixed text. */
export function routeOf(
  routes: string[],
  { method, path }: Pick<Answer, 'method' | 'path'>,
): string | undefined {
  const fixed = (route: string) => route.replace(/[:*]\w+/g, '').length;
  return routes
    .map((route) => route.split(' '))
    .filter(([verb, pattern = '']) => verb === method && patternOf(pattern).test(path))
    .map(([, pattern = '']) => pattern)
    .toSorted((one, other) => fixed(other) - fixed(one))[0];
}

function patternOf(route: string): RegExp {
  return new RegExp(`^${route.replace(/:\w+/g, '[^/]+').replace(/\*\w+/g, '.+')}$`);
}
