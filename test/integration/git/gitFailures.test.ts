import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../db/client.ts';
import { waitFor } from '../../support/waitFor.ts';
import { addHistory, progress, storedHistory, toldHistory } from './history.ts';
import { CANARY, createPlace, type Place, type Subject } from './place.ts';

let place: Place;
let subject: Subject;
beforeAll(async () => {
  place = await createPlace();
  subject = await place.subject('subject');
  addHistory(subject, 400);
});
afterAll(() => place.close());

/** Processes whose arguments or environment hold the text (proc(5)); git's own children among them. */
function processesWith(text: string): { pid: number; where: string }[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) =>
      ['cmdline', 'environ'].flatMap((where) => {
        try {
          const found = readFileSync(`/proc/${pid}/${where}`, 'latin1').includes(text);
          return found ? [{ pid: Number(pid), where }] : [];
        } catch {
          return [];
        }
      }),
    );
}

/** Only Linux shows what processes are given. */
const onLinux = { skip: process.platform !== 'linux' };

const clones = (worker: string) => join(place.folder, 'clones', worker);
const busyClones = (worker: string) => readdirSync(join(clones(worker), 'busy'));

describe('what the host answers becomes a typed error', () => {
  test.each([
    [401, 'AuthRefused', 'invalid_credentials'],
    [403, 'Forbidden', 'repository_forbidden'],
    [404, 'RepositoryGone', 'repository_gone'],
    [301, 'InvalidResponse', 'git_redirected'],
    [500, 'Upstream', 'upstream_error'],
    [503, 'Upstream', 'upstream_error'],
  ])('%i: %s', async (status, type, code) => {
    place.server.fault = status;
    const importId = await subject.newImport();
    const failed = place.importGit({ subject, importId, worker: 'faults' });
    await expect(failed).rejects.toMatchObject({ type, finding: { code } });
    place.server.fault = null;
    expect(busyClones('faults')).toEqual([]);
  });

  test('a wrong password is refused; that alone does not fail the streams', async () => {
    const importId = await subject.newImport();
    const failed = place.importGit({ subject, importId, worker: 'faults', password: 'wrong' });
    await expect(failed).rejects.toMatchObject({ type: 'AuthRefused' });
    expect(await progress(place, importId)).toEqual(['commits processing 0/?', 'refs processing 0/?']);
  });

  test('a repository that is gone fails both streams, with the reason', async () => {
    place.server.fault = 404;
    const importId = await subject.newImport();
    await expect(place.importGit({ subject, importId, worker: 'faults' })).rejects.toThrow(
      /no repository ws/,
    );
    place.server.fault = null;
    expect(await progress(place, importId)).toEqual(['commits failed 0/?', 'refs failed 0/?']);
    const rows = await place.sql`select last_error->>'code' code from streams
      where repository_id = ${subject.repositoryId}`;
    expect(rows.map((row) => row['code'])).toEqual(['repository_gone', 'repository_gone']);
  });

  test('429: not a failure but a time to go on', async () => {
    place.server.fault = 429;
    const importId = await subject.newImport();
    const result = await place.importGit({ subject, importId, worker: 'faults' });
    place.server.fault = null;
    expect(result).toMatchObject({ done: false, limited: { why: expect.stringContaining('git') } });
    expect(Date.parse(result.limited?.until ?? '')).toBeGreaterThan(Date.now() + 30_000);
    expect(await progress(place, importId)).toEqual(['commits rate_limited 0/?', 'refs rate_limited 0/?']);
  });

  test('a connection that breaks in the middle: Unreachable, and the next attempt goes on', async () => {
    place.server.fault = 'reset';
    const importId = await subject.newImport();
    const failed = place.importGit({ subject, importId, worker: 'reset' });
    await expect(failed).rejects.toMatchObject({ type: 'Unreachable' });
    place.server.fault = null;
    expect(await place.importGit({ subject, importId, worker: 'reset' })).toMatchObject({ done: true });
    expect(await storedHistory(place, subject)).toEqual(toldHistory(subject));
  });
});

describe("the account's window of git operations", () => {
  const windowOf = async (accountKey: string) =>
    (
      await place.sql`select refusals, failures, blocked_until > clock_timestamp() + interval '61 seconds' as long
        from request_limits where account_key = ${accountKey} and limit_group = 'git_operations'`
    )[0];
  /** As if a refusal were over: the next operation finds out whether it still holds. */
  const refusedBefore = (accountKey: string) =>
    place.sql`insert into request_limits (account_key, limit_group, refusals) values (${accountKey}, 'git_operations', 1)`;
  const fail = async (fault: number | 'reset', accountKey: string) => {
    place.server.fault = fault;
    try {
      return await place.importGit({
        subject,
        importId: await subject.newImport(),
        worker: 'window',
        accountKey,
      });
    } finally {
      place.server.fault = null;
    }
  };

  test.each([401, 403, 404, 301])(
    'is open to all again behind a refusal when %i is answered',
    async (status) => {
      const accountKey = `answered ${status}`;
      await refusedBefore(accountKey);
      await expect(fail(status, accountKey)).rejects.toMatchObject({ status });
      expect(await windowOf(accountKey)).toEqual({ refusals: 0, failures: 0, long: null });
    },
  );

  test.each([
    [503, 'Upstream'],
    ['reset', 'Unreachable'],
  ] as const)('counts a failure: %s', async (fault, type) => {
    const accountKey = `failed ${fault}`;
    await refusedBefore(accountKey);
    await expect(fail(fault, accountKey)).rejects.toMatchObject({ type });
    expect(await windowOf(accountKey)).toEqual({ refusals: 1, failures: 1, long: false });
  });

  test('hears nothing of the host from a worker that does not get to it', async () => {
    const accountKey = 'no way';
    await refusedBefore(accountKey);
    const importId = await subject.newImport();
    const host = { url: 'http://127.0.0.1:1', username: 'nobody', password: 'nothing' };
    await expect(
      place.importGit({ subject, importId, worker: 'no way', accountKey, host }),
    ).rejects.toMatchObject({ type: 'Unreachable', neverLeft: true });
    expect(await windowOf(accountKey)).toMatchObject({ failures: 0 });
  });

  test('has one operation find out whether the host is back after five failures in a row', async () => {
    for (let failure = 0; failure < 5; failure += 1) {
      await expect(fail(503, 'down')).rejects.toMatchObject({ type: 'Upstream' });
    }
    expect(await fail(503, 'down')).toMatchObject({ limited: { why: 'Bitbucket does not answer' } });
  });
});

test(
  'the credential is in no argument, environment or file, and nobody else is told it',
  onLinux,
  async () => {
    const importId = await subject.newImport();
    const seen: { pid: number; where: string }[] = [];
    const look = setInterval(() => seen.push(...processesWith(CANARY)), 5);
    await place.importGit({ subject, importId, worker: 'canary' });
    clearInterval(look);
    expect(seen).toEqual([]);
    const files = readdirSync(clones('canary'), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(files.length).toBeGreaterThan(3);
    const holding = files.filter((file) => readFileSync(join(file.parentPath, file.name)).includes(CANARY));
    expect(holding).toEqual([]);
    expect(place.server.requests.some((request) => request.signed)).toBe(true);
  },
);

test('cancellation ends git at once and keeps what is stored', onLinux, async () => {
  const long = await place.subject('long');
  addHistory(long, 4_000);
  const importId = await long.newImport();
  const environment = new MockActivityEnvironment();
  let from = 0;
  // Behind the first page that is stored.
  const database: Database = {
    ...place.database,
    async transaction(organizationId, work) {
      const result = await place.database.transaction(organizationId, work);
      if (from === 0 && (await storedHistory(place, long)).length > 0) {
        from = performance.now();
        environment.cancel('CANCELLED');
      }
      return result;
    },
  };
  const running = place.importGit({ subject: long, importId, worker: 'cancelled', environment, database });
  await expect(running).rejects.toMatchObject({ name: 'CancelledFailure' });
  expect(performance.now() - from).toBeLessThan(3_000);
  const path = clones('cancelled');
  expect(processesWith(path).filter(({ where }) => where === 'cmdline')).toEqual([]);
  const before = (await storedHistory(place, long)).length;
  expect(before).toBeLessThan(4_000);
  // the clone was whole, so it is used again
  const requests = place.server.requests.length;
  await place.importGit({ subject: long, importId, worker: 'cancelled' });
  expect(place.server.requests.slice(requests).some(({ line }) => line.startsWith('POST'))).toBe(true);
  expect(await storedHistory(place, long)).toEqual(toldHistory(long));
});

test('a commit that no worker can hold fails the repository, and says which', async () => {
  const large = await place.subject('large');
  const tree = large.git.tree([]);
  const person = 'Ann <ann@example.com> 1700000000 +0000';
  const commit = `tree ${tree}\nauthor ${person}\ncommitter ${person}\n\n${'a'.repeat(17 * 1024 * 1024)}`;
  const hash = large.git.object('commit', commit);
  large.git.git(['update-ref', 'refs/heads/main', hash]);
  const importing = place.importGit({ subject: large, importId: await large.newImport(), worker: 'large' });
  await expect(importing).rejects.toMatchObject({ type: 'TooLarge', retry: { kind: 'never' } });
  const [stream] = await place.sql`
    select state, last_error->>'code' as code, last_error->>'message' as message from streams
    where repository_id = ${large.repositoryId} and stream = 'commits'`;
  expect(stream).toMatchObject({
    state: 'failed',
    code: 'commit_too_large',
    message: expect.stringContaining(hash) as string,
  });
});

test('files that the worker may not work on fail the repository in a few attempts, and say why', async () => {
  const refused = await place.subject('refused');
  addHistory(refused, 3);
  // A file where a folder belongs: missing rights would not stop root.
  mkdirSync(clones('refused'), { recursive: true });
  writeFileSync(join(clones('refused'), 'ready'), '');
  const importId = await refused.newImport();
  await expect(place.importGit({ subject: refused, importId, worker: 'refused' })).rejects.toMatchObject({
    type: 'FilesRefused',
    retry: { kind: 'limited', attempts: 5 },
    finding: { message: expect.stringContaining('EEXIST by mkdir') as string },
  });
  expect(await progress(place, importId)).toEqual(['commits failed 0/?', 'refs failed 0/?']);
});

test('a worker that is killed leaves no git behind', onLinux, async () => {
  const program = `
    import { createGit } from './activities/git/process.ts';
    const git = createGit({ home: '/', protocols: ['http'] });
    const run = git.start({
      folder: ${JSON.stringify(subject.git.path)},
      args: ['cat-file', '--batch', '--buffer'],
      input: (async function* () { for (;;) yield 'main\\n'; })(),
      signal: new AbortController().signal,
    });
    for await (const _ of run.output) console.log('reading');
  `;
  const worker = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => worker.stdout.once('data', resolve));
  const mine = () =>
    processesWith(subject.git.path).filter(({ pid, where }) => where === 'cmdline' && pid !== worker.pid);
  expect(mine()).not.toEqual([]);
  worker.kill('SIGKILL');
  await waitFor({ what: 'git has ended', read: mine, until: (left) => left.length === 0, timeoutMs: 5_000 });
});

test('git asks nobody, and tells another host nothing', async () => {
  const { createGit } = await import('../../../activities/git/process.ts');
  const git = createGit({ home: place.folder, protocols: ['http'] });
  const login = {
    username: 'x-token-auth',
    password: { reveal: () => CANARY },
    origin: 'https://bitbucket.org',
  };
  const signal = AbortSignal.timeout(20_000);
  const url = `${place.server.url}/ws/subject.git`;
  const before = place.server.requests.length;
  await expect(git.text({ args: ['ls-remote', url], signal, login })).rejects.toThrow(
    /could not read Username/,
  );
  expect(place.server.requests.slice(before).map((request) => request.signed)).toEqual([false]);
  for (const forbidden of [`file://${subject.git.path}`, subject.git.path, 'ext::sh -c id', 'ssh://x/y']) {
    await expect(git.text({ args: ['ls-remote', forbidden], signal, login })).rejects.toThrow(/not allowed/);
  }
});
