import { sql } from 'drizzle-orm';
import type { ImportMode } from '../../../workflows/words.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

const ADA = { name: 'Ada', email: 'ada@example.test' };
const repository = (slug: string, commits: number, tags = 2) => ({
  slug,
  pullRequests: 0,
  commits,
  tickets: 0,
  tags,
});
const WORLD = acmeWorld([
  repository('rocket', 450),
  repository('many-tags', 90, 130),
  repository('blank', 0),
]);

export type Listing = Awaited<ReturnType<typeof createListing>>;

/** An integration that wants no clones, at a host with `acme/rocket`, `acme/many-tags` and the empty `acme/blank`. */
export async function createListing() {
  const situation: Situation = await createSituation({ world: WORLD });
  const { simulator } = situation;
  await situation.rows(sql`update integrations set commit_source = 'api'`);

  const journalEnd = (): number => [...simulator.journal.since(0)].at(-1)?.sequence ?? 0;
  /** What was asked of the host: `GET commits`, `POST commits 404`, `GET refs/tags`, `GET refs/tags/v9 404` … */
  const askedSince = (sequence: number): string[] =>
    [...simulator.journal.since(sequence)].map(({ method, path, status }) => {
      const list = /\/(commits(?=\?)|refs\/\w+(?=\?)|refs\/\w+\/.+)/.exec(path)?.[1] ?? path;
      return `${method} ${list}${status === 200 ? '' : ` ${String(status)}`}`;
    });
  const begin = async (id: string, mode: ImportMode = 'changed'): Promise<ImportInput> => ({
    ...(await situation.startImport(id, mode)),
    streams: ['refs', 'commits'],
  });
  const git = (slug: string, change: object) =>
    simulator.mutate({ kind: 'git', repository: `acme/${slug}`, change });

  return {
    situation,
    journalEnd,
    askedSince,
    begin,
    git,
    commitsSince: (sequence: number) => askedSince(sequence).filter((one) => one.includes('commits')),
    push: (slug: string, branch: string, messages: string[], onto?: string) =>
      git(slug, {
        kind: 'push',
        branch,
        commits: messages.map((message) => ({ message, author: ADA })),
        ...(onto === undefined ? {} : { onto }),
      }),
    /** One import, and what it asked of the host. */
    async imported(id: string, mode: ImportMode = 'changed') {
      const since = journalEnd();
      const input = await begin(id, mode);
      await situation.importAll(input);
      return { input, asked: askedSince(since) };
    },
    async stored(id: string): Promise<number> {
      const [row] = await situation.rows(
        sql`select count(*)::int as n from commits where repository_id = ${id}`,
      );
      return Number(row?.['n']);
    },
    async tipOf(id: string, branch: string): Promise<string> {
      const [row] = await situation.rows(
        sql`select target_hash from branches where repository_id = ${id} and name = ${branch}`,
      );
      return String(row?.['target_hash']);
    },
    /** The oracle's zeros, and streams that have stored what they expected. */
    async problems(id: string, input: ImportInput): Promise<string[]> {
      const differences = await situation.differences();
      const commits = await this.stored(id);
      const states = (await situation.streamStates(input)).filter(
        ({ stream, state, quarantined, stored, expected, basis }) =>
          state !== 'healthy' ||
          quarantined !== 0 ||
          stored !== expected ||
          (stream === 'commits' && (basis !== 'counted' || stored !== commits)),
      );
      return [differences, ...states.map((state) => JSON.stringify(state))].filter((one) => one !== '');
    },
  };
}
