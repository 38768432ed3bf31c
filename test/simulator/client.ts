import type { DemoCredential } from '../../simulator/control/credentialList.ts';
import type { Simulator } from '../../simulator/simulator.ts';

/** Parsed JSON, looked into without ceremony: a wrong path shows as a failing expectation. */
// oxlint-disable-next-line typescript/no-explicit-any -- tests only
export type Shown = any;

/** What an answer is compared by: everything but the moment it was given. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  text: string;
  json: Shown;
}

export function authorization(credential: DemoCredential, login = credential.login): string {
  return login === null
    ? `Bearer ${credential.secret}`
    : `Basic ${Buffer.from(`${login}:${credential.secret}`).toString('base64')}`;
}

/** A careless reader of the API: no checks, no retries. */
export function createClient(simulator: Simulator, credential: string | undefined) {
  const headers: Record<string, string> =
    credential === undefined ? {} : { authorization: authorization(simulator.credential(credential)) };

  async function send(path: string, init: RequestInit = {}): Promise<Answer> {
    const url = path.startsWith('http') ? path : `${simulator.apiUrl}${path}`;
    const response = await fetch(url, {
      redirect: 'manual',
      ...init,
      headers: { ...headers, ...Object.fromEntries(new Headers(init.headers)) },
    });
    const text = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').includes('json');
    const kept = [...response.headers].filter(
      ([name]) => !['date', 'connection', 'keep-alive'].includes(name),
    );
    return {
      status: response.status,
      headers: Object.fromEntries(kept),
      text,
      json: isJson && text !== '' ? JSON.parse(text) : undefined,
    };
  }

  /** Every item of a list, by following `next`. */
  async function walk(path: string): Promise<Shown[]> {
    const items: Shown[] = [];
    for (let next: string | undefined = path; next !== undefined; ) {
      const page: Answer = await send(next);
      if (page.status !== 200) throw new Error(`${next}: ${page.status} ${page.text.slice(0, 200)}`);
      items.push(...page.json.values);
      next = page.json.next;
    }
    return items;
  }

  return { get: (path: string) => send(path), send, walk };
}

export async function stateLines(simulator: Simulator, repository?: string): Promise<Shown[]> {
  const query = repository === undefined ? '' : `?repository=${encodeURIComponent(repository)}`;
  const text = await (await fetch(`${simulator.url}/_simulator/state${query}`)).text();
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
