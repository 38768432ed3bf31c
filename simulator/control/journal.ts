import { createHash } from 'node:crypto';

/** One request to the host; `/_simulator/` is not journalled. */
export interface JournalEntry {
  /** From 1, in order of arrival. */
  sequence: number;
  /** The host's clock at arrival, milliseconds since the epoch. */
  time_ms: number;
  /** First 12 hex digits of SHA-256 of the secret; null for anonymous. */
  credential: string | null;
  /** Name of the credential in the list, when it is known. */
  credential_name: string | null;
  account: string | null;
  method: string;
  /** With query; OAuth codes and tokens are blotted out. */
  path: string;
  /** The same for the same page of the same list, whoever asks and however the query is ordered; null outside the API. */
  page: string | null;
  /** Which rate limit it counted for. */
  group: string | null;
  /** Null while it is being answered, and when the connection was cut. */
  status: number | null;
  /** Kind of the fault played, if any. */
  fault: string | null;
  duration_ms: number | null;
  bytes: number | null;
}

export interface Journal {
  begin(entry: Omit<JournalEntry, 'sequence'>): JournalEntry;
  /** Entries after a sequence number. */
  since(sequence: number): JournalEntry[];
  clear(): void;
}

const SECRET_PARAMETERS = new Set([
  'code',
  'access_token',
  'refresh_token',
  'client_secret',
  'code_verifier',
]);

export const fingerprint = (secret: string): string =>
  createHash('sha256').update(secret).digest('hex').slice(0, 12);

/** The request's address without what must not be written down. */
export function safePath(path: string, query: URLSearchParams): string {
  if ([...query.keys()].length === 0) return path;
  const shown = new URLSearchParams(query);
  for (const name of query.keys()) if (SECRET_PARAMETERS.has(name)) shown.set(name, 'hidden');
  return `${path}?${shown.toString()}`;
}

export function pageIdentity(method: string, path: string, query: URLSearchParams): string | null {
  if (method !== 'GET') return null;
  const sorted = new URLSearchParams(query);
  sorted.sort();
  const text = sorted.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Keeps the newest `limit` requests. */
export function createJournal(limit = 200_000): Journal {
  let entries: JournalEntry[] = [];
  let sequence = 0;
  return {
    begin(entry) {
      sequence += 1;
      const complete = { sequence, ...entry };
      entries.push(complete);
      if (entries.length > limit * 1.1) entries = entries.slice(-limit);
      return complete;
    },
    since: (after) => entries.filter((entry) => entry.sequence > after),
    clear() {
      entries = [];
    },
  };
}
