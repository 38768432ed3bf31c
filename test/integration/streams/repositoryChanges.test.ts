import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { RepositoryGone } from '../../../activities/bitbucket/errors.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

/** Reliability row F32: what becomes of a repository in the middle of its import. */

const SLUGS = ['deleted', 'hidden', 'renamed'] as const;
const WORLD = acmeWorld(SLUGS.map((slug) => ({ slug, pullRequests: 55, commits: 20, tickets: 4 })));

let situation: Situation;
const ids = new Map<string, string>();
beforeAll(async () => {
  situation = await createSituation({ world: WORLD });
  for (const slug of SLUGS) ids.set(slug, await situation.repository(`acme/${slug}`));
});
afterAll(() => situation.close());

const begin = (slug: string): Promise<ImportInput> => situation.startImport(ids.get(slug)!);

/** Does something once, behind the answer for the first page of pull requests. */
function inTheMiddle(change: () => Promise<unknown>): BitbucketClient {
  let done = false;
  return {
    get: async (request) => {
      const answer = await situation.bitbucket.get(request);
      if (!done && /\/pullrequests\?/.test(request.path ?? '')) {
        done = true;
        await change();
      }
      return answer;
    },
  };
}

const stored = async (slug: string): Promise<number> => {
  const [row] = await situation.rows(
    sql`select count(*)::int as n from pull_requests where repository_id = ${ids.get(slug)!}`,
  );
  return Number(row?.['n']);
};

const mutate = (change: { kind: string } & Record<string, unknown>) => situation.simulator.mutate(change);

describe('in the middle of its import', () => {
  test.each([
    [
      'deleted',
      () => mutate({ kind: 'repository.delete', repository: 'acme/deleted' }),
      (uuid: string) => mutate({ kind: 'repository.restore', repository: uuid }),
    ],
    [
      'hidden',
      async () => {
        await mutate({ kind: 'user.right', user: 'admin', workspace: 'acme', right: null });
        await mutate({ kind: 'user.right', user: 'admin', repository: 'acme/hidden', right: null });
      },
      () => mutate({ kind: 'user.right', user: 'admin', workspace: 'acme', right: 'owner' }),
    ],
  ] as const)(
    '%s: a clear failure, what was stored stays, nothing counts as gone; given back, it goes on',
    async (slug, take, giveBack) => {
      const input = await begin(slug);
      const walk = situation.importAll(input, { bitbucket: inTheMiddle(take) });
      await expect(walk).rejects.toBeInstanceOf(RepositoryGone);
      expect(await stored(slug)).toBe(50);
      const [failed] =
        await situation.rows(sql`select s.last_error, s.failing_since, i.state, i.gone::int as gone
      from streams s join import_streams i using (organization_id, repository_id, stream)
      where i.import_id = ${input.importId} and stream = 'pull_requests'`);
      expect(failed).toMatchObject({
        state: 'failed',
        gone: 0,
        last_error: { code: 'repository_gone', remedy: expect.stringContaining('access') },
      });
      expect(failed?.['failing_since']).not.toBeNull();

      const [row] = await situation.rows(
        sql`select provider_uuid from repositories where id = ${input.repositoryId}`,
      );
      await giveBack(String(row?.['provider_uuid']));
      const again = await begin(slug);
      const paths: string[] = [];
      await situation.importAll(again, {
        bitbucket: {
          get: (request) => {
            paths.push(decodeURIComponent(request.path ?? request.next ?? ''));
            return situation.bitbucket.get(request);
          },
        },
      });
      // From the checkpoint: the first page is not asked for again.
      expect(paths[0]).toContain('q=id>50');
      expect(await stored(slug)).toBe(55);
    },
  );

  test('renamed: the old name leads to the new one, and nothing is stored twice', async () => {
    const input = await begin('renamed');
    await situation.importAll(input, {
      bitbucket: inTheMiddle(() =>
        mutate({ kind: 'repository.rename', repository: 'acme/renamed', slug: 'new-name' }),
      ),
    });
    expect(await stored('renamed')).toBe(55);
    for (const { stored: found, expected } of await situation.streamStates(input)) {
      expect(found).toBe(expected);
    }
    const [repositories] = await situation.rows(sql`select count(*)::int as n from repositories`);
    expect(repositories).toEqual({ n: SLUGS.length });
  });
});
