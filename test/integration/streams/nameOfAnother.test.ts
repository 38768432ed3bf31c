import { sql } from 'drizzle-orm';
import { afterEach, expect, test } from 'vitest';
import { Replaced } from '../../../activities/streams/replaced.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createListing } from './listing.ts';
import { createSituation, type Situation } from './situation.ts';

/**
 * A list of another repository, which has got the name, may be empty: it names no repository, and the name is looked up
 * before what is stored is held to be all that there is (docs/decisions/a-name-is-not-a-repository.md).
 */
const records = { slug: 'records', pullRequests: 60, commits: 20, tickets: 12 };
const quiet = { slug: 'quiet', pullRequests: 40, commits: 20, tickets: 0 };

let situation: Situation;
afterEach(() => situation.close());

async function imported(repositories: Parameters<typeof acmeWorld>[0] = [records, quiet]): Promise<string> {
  situation = await createSituation({ world: acmeWorld(repositories) });
  const id = await situation.repository('acme/records');
  await mutate({ kind: 'pull_request.edit', repository: 'acme/records', number: 3, title: 'Edited' });
  await situation.importAll(await situation.startImport(id));
  situation.simulator.clock.advance(60 * 60_000);
  return id;
}

const mutate = (change: object) => situation.simulator.mutate(change as never);
const rename = (slug: string, to: string) =>
  mutate({ kind: 'repository.rename', repository: `acme/${slug}`, slug: to });

/** What an import asked of the host, without its queries. */
async function askedBy(work: () => Promise<unknown>): Promise<string[]> {
  const since = situation.simulator.journal.since(0).at(-1)?.sequence ?? 0;
  await work();
  return situation.simulator.journal.since(since).map(({ path }) => path);
}
const lookUpsIn = (paths: string[]): string[] => paths.filter((path) => path.endsWith('?fields=uuid'));

test('a quiet repository under the name of one that was renamed brings nothing in, and the renamed one is read', async () => {
  const id = await imported();
  await rename('records', 'moved');
  await rename('quiet', 'records');
  await mutate({ kind: 'pull_request.edit', repository: 'acme/moved', number: 5, title: 'Edited too' });
  const input = await situation.startImport(id);
  const asked = await askedBy(() => situation.importAll(input));
  expect(lookUpsIn(asked)).toHaveLength(1);
  expect(await situation.differences()).toBe('');
});

test('nothing that changed in a renamed repository is lost to an empty one under its old name', async () => {
  const id = await imported();
  await rename('records', 'moved');
  await mutate({ kind: 'repository.create', workspace: 'acme', slug: 'records' });
  const [comment] = await situation.rows(sql`
    select pull_request_number as number, comment_id as id from pull_request_comments where not deleted
    order by 1, 2 limit 1`);
  await mutate({
    kind: 'comment.edit',
    repository: 'acme/moved',
    number: comment?.['number'],
    comment: Number(comment?.['id']),
    raw: 'Edited comment',
  });
  await mutate({ kind: 'ticket.comment', repository: 'acme/moved', number: 2, raw: 'A ticket comment' });
  situation.simulator.clock.advance(60 * 60_000);
  await situation.importAll(await situation.startImport(id));
  expect(await situation.differences()).toBe('');
});

test.each(['changed', 'full'] as const)(
  'an empty one under the name of one that was deleted is not believed (%s)',
  async (mode) => {
    const id = await imported();
    const rows = () => situation.rows(sql`select number, xmin::text from pull_requests order by number`);
    const before = await rows();
    await mutate({ kind: 'repository.delete', repository: 'acme/records' });
    await mutate({ kind: 'repository.create', workspace: 'acme', slug: 'records' });
    const input = await situation.startImport(id, mode);
    await expect(situation.importAll(input)).rejects.toMatchObject({ name: new Replaced('').name });
    expect(await rows()).toEqual(before);
    expect(await situation.streamStates(input)).toMatchObject([{ stream: 'pull_requests', state: 'failed' }]);
  },
);

test('branches, tags and commits that came over the API stay while an empty one has the name', async () => {
  const listing = await createListing();
  ({ situation } = listing);
  const id = await situation.repository('acme/rocket');
  await listing.imported(id);
  const stored = () =>
    situation.rows(sql`
      select 'branch' as kind, name, xmin::text from branches union all select 'tag', name, xmin::text from tags
      union all select 'commit', hash, xmin::text from commits order by 1, 2`);
  const before = await stored();
  await mutate({ kind: 'repository.delete', repository: 'acme/rocket' });
  await mutate({ kind: 'repository.create', workspace: 'acme', slug: 'rocket' });
  for (let times = 0; times < 2; times += 1) {
    situation.simulator.clock.advance(2 * 60 * 60_000);
    const input = await listing.begin(id);
    // Lists need not lie apart to be believed: the second one would remove all.
    const run = situation.importAll(input, { goneAfterMs: 0 });
    await expect(run).rejects.toMatchObject({ name: new Replaced('').name });
  }
  expect(await stored()).toEqual(before);
});

test('a repository without branches any more is believed to be so, for one look-up', async () => {
  const listing = await createListing();
  ({ situation } = listing);
  const id = await situation.repository('acme/many-tags');
  await listing.imported(id);
  const remove = async (table: 'branches' | 'tags', kind: string) => {
    for (const { name } of await situation.rows(sql`select name from ${sql.identifier(table)}`))
      await listing.git('many-tags', { kind, name });
  };
  await remove('branches', 'deleteBranch');
  const asked = await askedBy(() => listing.imported(id));
  expect(lookUpsIn(asked)).toHaveLength(1);
  expect(lookUpsIn(await askedBy(() => listing.imported(id)))).toEqual([]);
});

test('the name is looked up also where each chunk has one request, which then comes to an end', async () => {
  const id = await imported([{ ...records, tickets: 0 }]);
  const { simulator } = situation;
  const empty = { match: { path: '/pullrequests\\?' }, fault: { kind: 'empty_list' } };
  simulator.faults.set({ seed: 1, rules: [empty] });
  const input = await situation.startImport(id);
  const asked = await askedBy(() => situation.importAll(input, { limits: { requests: 1 } }));
  expect(lookUpsIn(asked)).toHaveLength(1);
});

test('what nothing speaks against is not looked up: a sync that finds nothing, an import of an empty repository', async () => {
  const id = await imported([records, { ...quiet, pullRequests: 0, commits: 0 }]);
  const sync = await situation.startImport(id);
  expect(lookUpsIn(await askedBy(() => situation.importAll(sync)))).toEqual([]);
  const first = await situation.startImport(await situation.repository('acme/quiet'));
  expect(lookUpsIn(await askedBy(() => situation.importAll(first)))).toEqual([]);
});
