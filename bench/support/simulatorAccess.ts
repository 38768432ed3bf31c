import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { z } from 'zod';

const credentialList = z.object({
  credentials: z.array(z.object({ name: z.string(), login: z.string().nullable(), secret: z.string() })),
});

/** A credential of the simulated host by name; default the API token of an administrator, who sees everything. */
export async function simulatorCredential(
  simulatorUrl: string,
  name = 'api_token.admin',
): Promise<{ login: string; secret: string }> {
  const answer = await fetch(`${simulatorUrl}/_simulator/credentials`);
  const { credentials } = credentialList.parse(await answer.json());
  const found = credentials.find((credential) => credential.name === name);
  if (found === undefined) throw new Error(`The simulator has no credential ${name}.`);
  return { login: found.login ?? '', secret: found.secret };
}

const journalEntry = z.object({
  time_ms: z.number(),
  path: z.string(),
  page: z.string().nullable(),
  group: z.string().nullable(),
  credential_name: z.string().nullable(),
  status: z.number().nullable(),
});
/** What a benchmark reads of a request in the simulator's journal. */
export type JournalEntry = z.infer<typeof journalEntry>;

/** All requests since the journal was cleared, in order of arrival. */
export async function allRequests(simulatorUrl: string): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for await (const line of lines(`${simulatorUrl}/_simulator/journal`))
    entries.push(journalEntry.parse(line));
  return entries;
}

/** Those to the API; git's and OAuth's are left out. */
export const apiRequests = async (simulatorUrl: string): Promise<JournalEntry[]> =>
  (await allRequests(simulatorUrl)).filter(({ path }) => path.startsWith('/2.0/'));

export async function clearJournal(simulatorUrl: string): Promise<void> {
  const answer = await fetch(`${simulatorUrl}/_simulator/journal`, { method: 'DELETE' });
  if (!answer.ok) throw new Error(`The simulator's journal was not cleared: ${answer.status}`);
}

const truthLine = z.looseObject({ kind: z.string() });

/** The simulator's truth line by line, repository by repository (simulator/README.md). */
export async function* truth(simulatorUrl: string): AsyncIterable<z.infer<typeof truthLine>> {
  for await (const line of lines(`${simulatorUrl}/_simulator/state`)) yield truthLine.parse(line);
}

async function* lines(url: string): AsyncIterable<unknown> {
  const answer = await fetch(url);
  if (!answer.ok || answer.body === null) throw new Error(`${url} answers ${answer.status}`);
  const texts = createInterface({ input: Readable.from(answer.body), crlfDelay: Infinity });
  for await (const text of texts) if (text !== '') yield JSON.parse(text);
}
