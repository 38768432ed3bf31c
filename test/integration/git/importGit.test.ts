import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../../db/client.ts';
import { createStatementTap } from '../../support/statementTap.ts';
import { addHistory, progress, storedHistory, storedRefs, toldHistory, toldRefs } from './history.ts';
import { createPlace, type Place, type Subject } from './place.ts';

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.close());

async function expectSame(subject: Subject): Promise<void> {
  expect(await storedHistory(place, subject)).toEqual(toldHistory(subject));
  expect(await storedRefs(place, subject)).toEqual(toldRefs(subject));
}

test('stores what git log says, and says how far it is', async () => {
  const subject = await place.subject('first');
  addHistory(subject, 1_234);
  subject.git.git(['tag', 'light', 'main~3']);
  const importId = await subject.newImport();
  expect(await place.importGit({ subject, importId })).toMatchObject({ done: true, records: 1_236 });
  await expectSame(subject);
  expect(await progress(place, importId)).toEqual(['commits healthy 1234/1234', 'refs healthy 2/2']);
});

test('a hundred commits and their files are written by as many statements as five', async () => {
  const tap = await createStatementTap(place.workerUrl);
  const database = createDatabase({ url: tap.url, maxConnections: 4, applicationName: 'counted' });
  const writing = async (commits: number) => {
    const subject = await place.subject(`counted-${String(commits)}`);
    addHistory(subject, commits);
    tap.take();
    await place.importGit({ subject, importId: await subject.newImport(), database });
    await expectSame(subject);
    const { statements } = tap.take();
    return statements.filter((text) => /insert into (commits|commit_files) /.test(text));
  };
  const few = await writing(5);
  expect(few).toHaveLength(2);
  expect(await writing(100)).toEqual(few);
  await database.end();
  await tap.close();
});

test('links a pull request that was stored as merged before its merge commit came, unless pull requests are off', async () => {
  const subject = await place.subject('merged');
  addHistory(subject, 3);
  const { git, repositoryId } = subject;
  const [main = '', tree = ''] = git.lines(['log', '-1', '--format=%H%n%T', 'main']);
  const commit = (...parents: string[]) =>
    git.object(
      'commit',
      `tree ${tree}\n${parents.map((parent) => `parent ${parent}\n`).join('')}author A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n\nx\n`,
    );
  const side = commit(main);
  const merge = commit(main, side);
  git.git(['update-ref', 'refs/heads/main', merge]);
  await place.sql`insert into pull_requests (organization_id, repository_id, number, title, state, draft, merge_hash,
      created_on, updated_on, observed_at, raw)
    values (${place.organizationId}, ${repositoryId}, 1, 't', 'MERGED', false, ${merge.slice(0, 12)}, now(), now(), now(), '{}')`;
  const links = () =>
    place.sql`select commit_hash from pull_request_commits where repository_id = ${repositoryId}`;

  await place.sql`update integrations set services = '{repositories}'`;
  await place.importGit({ subject, importId: await subject.newImport() });
  expect(await links()).toEqual([]);
  await place.sql`update integrations set services = '{repositories,pull_requests,tickets}'`;
  await place.importGit({ subject, importId: await subject.newImport() });
  expect(await links()).toMatchObject([{ commit_hash: side }]);
});

describe('going on', () => {
  test('after the worker died at any transaction, on another worker: nothing lost, nothing twice', async () => {
    const subject = await place.subject('resumed');
    addHistory(subject, 5_100);
    const importId = await subject.newImport();
    for (let nth = 3; nth <= 8; nth += 1) {
      const when = nth % 2 === 0 ? 'before' : 'after';
      const run = { subject, importId, worker: `w${nth}`, database: place.dyingDatabase(nth, when) };
      await expect(place.importGit(run)).rejects.toThrow('the worker died');
    }
    expect(await place.importGit({ subject, importId, worker: 'last' })).toMatchObject({ done: true });
    await expectSame(subject);
    expect(await progress(place, importId)).toEqual(['commits healthy 5100/5100', 'refs healthy 1/1']);
  });

  test('behind a walk over the API: reads everything, and adds what lists do not tell', async () => {
    const subject = await place.subject('listed-before');
    addHistory(subject, 40);
    await place.importGit({ subject, importId: await subject.newImport() });
    const id = subject.repositoryId;
    await place.sql`update commits set lines_added = null, lines_removed = null, files_changed = null, author_zone = ''
      where repository_id = ${id}`;
    await place.sql`delete from commit_files where repository_id = ${id}`;
    const [head] =
      await place.sql`select target_hash from branches where repository_id = ${id} and name = 'main'`;
    await place.sql`update streams set memory = ${place.sql.json({ listed: [head?.['target_hash']] })},
        position = ${place.sql.json({ lists: 0, all: true, next: 'https://host/next', pages: 1 })}
      where repository_id = ${id} and stream = 'commits'`;
    await place.importGit({ subject, importId: await subject.newImport() });
    await expectSame(subject);
  });

  test('a commit that the API showed broken leaves the quarantine with it; one that is not stored stays there', async () => {
    const subject = await place.subject('broken-in-the-list');
    addHistory(subject, 40);
    const tip = subject.git.git(['rev-parse', 'main']).toString().trim();
    const other = 'f'.repeat(40);
    const keep = (
      key: string,
    ) => place.sql`insert into quarantine (id, organization_id, repository_id, stream, record_key,
        raw, reason)
      select gen_random_uuid(), organization_id, id, 'commits', ${key}, '{}', 'message: not a text'
      from repositories where id = ${subject.repositoryId}`;
    await keep(tip);
    await keep(other);
    await place.importGit({ subject, importId: await subject.newImport() });
    await expectSame(subject);
    expect(
      await place.sql`select record_key as key from quarantine where repository_id = ${subject.repositoryId}`,
    ).toEqual([{ key: other }]);
  });

  test('reads only what is new, and forgets refs that are gone', async () => {
    const subject = await place.subject('later');
    addHistory(subject, 700);
    subject.git.git(['branch', 'old', 'main~5']);
    await place.importGit({ subject, importId: await subject.newImport() });
    addHistory(subject, 40, 'feature', 'refs/heads/main~0');
    subject.git.git(['branch', '-D', 'old']);
    const importId = await subject.newImport();
    expect(await place.importGit({ subject, importId })).toMatchObject({ records: 42 });
    await expectSame(subject);
    expect(await progress(place, importId)).toEqual(['commits healthy 740/740', 'refs healthy 2/2']);
  });

  test('with nothing new it writes no row version', async () => {
    const subject = await place.subject('unchanged');
    addHistory(subject, 60);
    await place.importGit({ subject, importId: await subject.newImport() });
    const versions = () => place.sql`select 'commit' kind, hash key, xmin::text from commits
      where repository_id = ${subject.repositoryId} union all select 'file', commit_hash || place, xmin::text
      from commit_files where repository_id = ${subject.repositoryId} union all select 'branch', name, xmin::text
      from branches where repository_id = ${subject.repositoryId} order by 1, 2`;
    const before = await versions();
    await place.importGit({ subject, importId: await subject.newImport() });
    await place.importGit({ subject, importId: await subject.newImport(), mode: 'full', worker: 'other' });
    expect(await versions()).toEqual(before);
  });

  test('a full import repairs what is missing or wrong', async () => {
    const subject = await place.subject('repaired');
    addHistory(subject, 60);
    await place.importGit({ subject, importId: await subject.newImport() });
    const of = place.sql`repository_id = ${subject.repositoryId}`;
    await place.sql`delete from commits where ${of} and hash < '8'`;
    await place.sql`delete from commit_files where ${of} and commit_hash < '4'`;
    await place.sql`update commit_files set lines_added = 99 where ${of} and commit_hash > 'c'`;
    await place.sql`insert into commit_files (organization_id, repository_id, commit_hash, place, path)
      select organization_id, repository_id, hash, 500, 'never there' from commits where ${of}`;
    await place.importGit({ subject, importId: await subject.newImport() });
    expect(await storedHistory(place, subject)).not.toEqual(toldHistory(subject));
    await place.importGit({ subject, importId: await subject.newImport(), mode: 'full' });
    await expectSame(subject);
  });

  test('a full import reads no commit again while the rows are as they were read', async () => {
    const subject = await place.subject('intact');
    const importAs = async (mode: 'changed' | 'full') =>
      (await place.importGit({ subject, importId: await subject.newImport(), mode })).records;
    addHistory(subject, 60);
    await importAs('changed');
    addHistory(subject, 40, 'feature', 'refs/heads/main~0');
    expect(await importAs('changed')).toBe(42);
    subject.git.git(['branch', '-D', 'feature']);
    expect(await importAs('changed')).toBe(1);
    expect(await importAs('full')).toBe(1);
    addHistory(subject, 5, 'other', 'refs/heads/main~0');
    expect(await importAs('full')).toBe(7);
    await expectSame(subject);

    const of = place.sql`repository_id = ${subject.repositoryId}`;
    const unread = [
      place.sql`update commit_files set lines_added = 99 where ${of} and commit_hash > 'c'`,
      place.sql`update commits set unreachable_since = now() where ${of} and unreachable_since is null and hash < '3'`,
      place.sql`update streams set memory = jsonb_set(memory, '{stored,readBy}', '0') where ${of} and stream = 'commits'`,
    ];
    for (const change of unread) {
      await change;
      expect(await importAs('full')).toBe(67);
      await expectSame(subject);
      expect(await importAs('full')).toBe(2);
    }
  });

  test('damage does not become part of what is taken for read', async () => {
    const subject = await place.subject('damaged');
    const importAs = async (mode: 'changed' | 'full') =>
      (await place.importGit({ subject, importId: await subject.newImport(), mode })).records;
    addHistory(subject, 60);
    await importAs('changed');
    const of = place.sql`repository_id = ${subject.repositoryId}`;
    await place.sql`delete from commits where ${of} and hash < '8'`;
    await place.sql`insert into commit_files (organization_id, repository_id, commit_hash, place, path)
      select organization_id, repository_id, hash, 500, 'never there' from commits where ${of}`;
    // The first finds that commits are missing, the second reads all of them.
    await importAs('changed');
    expect(await importAs('changed')).toBe(61);
    await expectSame(subject);
    expect(await importAs('full')).toBe(1);
  });

  test('when a force push took the frozen heads away meanwhile', async () => {
    const subject = await place.subject('forced');
    addHistory(subject, 1_600);
    const importId = await subject.newImport();
    const dying = { subject, importId, worker: 'first', database: place.dyingDatabase(6, 'after') };
    await expect(place.importGit(dying)).rejects.toThrow('the worker died');
    addHistory(subject, 900, 'rewritten');
    subject.git.git(['branch', '-f', 'main', 'rewritten']);
    subject.git.git(['branch', '-D', 'rewritten']);
    subject.git.git(['reflog', 'expire', '--expire=now', '--all']);
    subject.git.git(['gc', '--quiet', '--prune=now']);
    expect(await place.importGit({ subject, importId, worker: 'second' })).toMatchObject({ done: true });
    expect(await storedHistory(place, subject)).toEqual(toldHistory(subject));
    const marked = place.sql`select from commits where repository_id = ${subject.repositoryId}
      and unreachable_since is not null`;
    expect((await marked).length).toBeGreaterThan(0);
    expect(await progress(place, importId)).toEqual(['commits healthy 900/900', 'refs healthy 1/1']);
  });

  test('what no branch leads to any more is marked, and what one leads to again is not', async () => {
    const subject = await place.subject('unreachable');
    addHistory(subject, 30);
    addHistory(subject, 12, 'feature', 'refs/heads/main~0');
    await place.importGit({ subject, importId: await subject.newImport() });
    const [tip = ''] = subject.git.lines(['rev-parse', 'feature']);
    const marked = () => place.sql<{ n: number }[]>`select count(*)::int as n from commits
      where repository_id = ${subject.repositoryId} and unreachable_since is not null`;
    for (const worker of ['first', 'another']) {
      subject.git.git(['branch', '-D', 'feature']);
      await place.importGit({ subject, importId: await subject.newImport(), worker });
      expect(await marked()).toEqual([{ n: 12 }]);
      await expectSame(subject);
      subject.git.git(['branch', 'feature', tip]);
      await place.importGit({ subject, importId: await subject.newImport(), worker });
      expect(await marked()).toEqual([{ n: 0 }]);
      await expectSame(subject);
    }
  });

  test('when the list comes in another order than when the position was stored', async () => {
    const subject = await place.subject('reordered');
    addHistory(subject, 1_100);
    const importId = await subject.newImport();
    const dying = { subject, importId, database: place.dyingDatabase(5, 'after') };
    await expect(place.importGit(dying)).rejects.toThrow('the worker died');
    await place.sql`update streams set position = jsonb_set(position, '{digest}', '"another order"')
      where repository_id = ${subject.repositoryId} and stream = 'commits'`;
    await place.sql`delete from commits where repository_id = ${subject.repositoryId}`;
    await place.importGit({ subject, importId });
    await expectSame(subject);
  });
});

test('an attempt that another one overtook writes nothing more', async () => {
  const subject = await place.subject('fenced');
  addHistory(subject, 1_600);
  const importId = await subject.newImport();
  let pages = 0;
  let overtake = async () => {};
  const slow: Database = {
    ...place.database,
    async transaction(organizationId, work) {
      pages += 1;
      if (pages === 6) await overtake();
      return place.database.transaction(organizationId, work);
    },
  };
  overtake = async () => {
    await place.importGit({ subject, importId, worker: 'second' });
  };
  await expect(place.importGit({ subject, importId, worker: 'first', database: slow })).rejects.toMatchObject(
    {
      type: 'Fenced',
    },
  );
  await expectSame(subject);
  expect(await progress(place, importId)).toEqual(['commits healthy 1600/1600', 'refs healthy 1/1']);
});

test('two attempts at once on one worker each have a clone of their own', async () => {
  const subject = await place.subject('twice');
  addHistory(subject, 300);
  const importId = await subject.newImport();
  const both = await Promise.allSettled([
    place.importGit({ subject, importId, worker: 'same' }),
    place.importGit({ subject, importId, worker: 'same' }),
  ]);
  const [lost] = both.filter((result) => result.status === 'rejected');
  expect(both.some((result) => result.status === 'fulfilled')).toBe(true);
  if (lost !== undefined) expect(lost.reason).toMatchObject({ type: 'Fenced' });
  await expectSame(subject);
});

test('heartbeats tell how far it is', async () => {
  const subject = await place.subject('heartbeats');
  addHistory(subject, 30);
  const environment = new MockActivityEnvironment();
  const beats: unknown[] = [];
  environment.on('heartbeat', (details: unknown) => beats.push(details));
  await place.importGit({ subject, importId: await subject.newImport(), environment });
  expect(beats.length).toBeGreaterThan(0);
});
