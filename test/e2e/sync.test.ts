import { afterAll, beforeAll, expect, test } from 'vitest';
import { isExact } from '../../scripts/oracle/compare.ts';
import { activeIntegration, expectStatus, importEnded, listAll, startImport } from '../support/connect.ts';
import { createStack, type Answer, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';

const ROCKETS = 'acme-rockets/flight-control';
const AUTHOR = { name: 'Ada', email: 'ada@example.com' };

/** Staying in sync: by hand, and by poll rounds. */
let stack: Stack;
let integrationId: string;
beforeAll(async () => {
  stack = await createStack({ simulator: { size: 'tiny' }, environment: { POLL_INTERVAL_MS: '2000' } });
  integrationId = await activeIntegration(stack);
  await importEnded(stack, await startImport(stack, integrationId));
});
afterAll(() => stack?.close());

const repositoryNamed = async (fullName: string): Promise<Answer['body']> => {
  const all = await listAll(stack, `/v1/integrations/${integrationId}/repositories`);
  return all.find((one) => one.full_name === fullName);
};

/** Until Postgres holds what the source has: a sync may be under way while it is looked at. */
const untilExact = (what: string) =>
  waitFor({
    what,
    read: async () => {
      const found = await stack.verify();
      return { ...found, examples: found.examples.slice(0, 5) };
    },
    until: isExact,
    timeoutMs: 60_000,
    intervalMs: 500,
  });

/** Something of each kind: commits, a forced push, a branch that goes, pull requests, comments, votes. */
async function changeMuch(repository: string, round: string): Promise<void> {
  const { simulator } = stack;
  const git = (change: object) => simulator.mutate({ kind: 'git', repository, change });
  await git({
    kind: 'push',
    branch: `feature/${round}`,
    commits: [
      { message: `One of ${round}`, author: AUTHOR },
      { message: `Two of ${round}`, author: AUTHOR },
    ],
  });
  await git({
    kind: 'push',
    branch: `short/${round}`,
    commits: [{ message: 'short lived', author: AUTHOR }],
  });
  await git({ kind: 'deleteBranch', name: `short/${round}` });
  const made: object = await simulator.mutate({
    kind: 'pull_request.create',
    repository,
    title: `Made in ${round}`,
    source: `feature/${round}`,
    user: 'admin',
  });
  const number = 'number' in made ? made.number : undefined;
  const said: object = await simulator.mutate({
    kind: 'comment.add',
    repository,
    number,
    raw: `Said in ${round}`,
  });
  const comment = 'id' in said ? said.id : undefined;
  await simulator.mutate({
    kind: 'comment.edit',
    repository,
    number,
    comment,
    raw: `Said better in ${round}`,
  });
  await simulator.mutate({ kind: 'pull_request.approve', repository, number, user: 'member' });
  await simulator.mutate({ kind: 'pull_request.edit', repository, number: 1, title: `Named in ${round}` });
}

test('a person has one repository brought up to date', async () => {
  const repository = await repositoryNamed(ROCKETS);
  await changeMuch(ROCKETS, 'by-hand');
  const before = stack.simulator.journal.since(0).at(-1)?.sequence ?? 0;
  expectStatus(await stack.call('POST', `/v1/repositories/${repository.id}/sync`, {}), 202);
  await untilExact('what changed is there');
  const { body } = await stack.call('GET', `/v1/repositories/${repository.id}`);
  expect(body.sync).toMatchObject({ failures: 0, last_error: null });
  // The list of pull requests, the feed, and lists of comments that the feed does not show in full: no second import.
  // Rounds of polling that fall into it are their own: each asks only what was updated since, ten a page.
  const asked = stack.simulator.journal
    .since(before)
    .filter(({ path, group }) => group !== 'git' && path.includes('flight-control'))
    .filter(({ path }) => !path.includes('pagelen=10&q=updated_on'));
  expect(asked.length).toBeLessThan(15);
});

test('poll rounds find what changed, and ask little when nothing did', async () => {
  await changeMuch(ROCKETS, 'by-poll');
  await changeMuch('acme-rockets/telemetry', 'by-poll');
  await untilExact('the rounds have found it');
  const { body } = await waitFor({
    what: 'a round that found nothing has ended',
    read: () => stack.call('GET', `/v1/integrations/${integrationId}`),
    until: (answer) => answer.body.polling?.found === 0 && answer.body.polling.last_finished_at !== null,
    timeoutMs: 30_000,
  });
  expect(body.polling).toMatchObject({ error: null });
  const imported = body.discovered.imported_repositories;
  expect(body.polling.requests).toBeLessThanOrEqual(imported + body.discovered.workspaces + 2);
});

test('all repositories at once, by hand', async () => {
  await changeMuch('acme-rockets/telemetry', 'all-by-hand');
  expectStatus(await stack.call('POST', `/v1/integrations/${integrationId}/sync`, {}), 202);
  await untilExact('all are up to date');
});
