/** What is to be known of a body to hand it on. The current state is fetched anyway; so nothing else of it is read. */
export interface DeliveryFacts {
  /** null: the body does not name a repository, or cannot be understood */
  repositoryUuid: string | null;
  /** of pull request events: `OPEN`, `MERGED`, `DECLINED`, … */
  pullRequestState: string | null;
  /** of pull request events: which one it is */
  pullRequestNumber: number | null;
}

const UUID = /^\{[0-9a-f-]{36}\}$/i;
const WORD = /^[A-Z_]{1,40}$/;
/** The largest of Postgres' type `integer`. */
const MAX_NUMBER = 2_147_483_647;

/** Reads the facts of a verified body. Never throws: a body that makes no sense has none. */
export function deliveryFacts(body: Uint8Array): DeliveryFacts {
  const read = parse(body);
  return {
    repositoryUuid: matching(UUID, at(read, 'repository', 'uuid')),
    pullRequestState: matching(WORD, at(read, 'pullrequest', 'state')),
    pullRequestNumber: numberIn(at(read, 'pullrequest', 'id')),
  };
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  } catch {
    return undefined;
  }
}

/** What is at the end of a way of names; undefined where the way ends before. */
function at(value: unknown, ...names: string[]): unknown {
  let here = value;
  for (const name of names) here = isRecord(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  return here;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const matching = (form: RegExp, value: unknown): string | null =>
  typeof value === 'string' && form.test(value) ? value : null;

const numberIn = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_NUMBER ? value : null;
