import { afterAll, beforeAll, expect, test } from 'vitest';
import { addHistory, storedHistory, storedRefs, toldHistory, toldRefs } from './history.ts';
import { createPlace, type Place, type Subject } from './place.ts';

/** What was stored of branches that were gone before git had a look. */

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.close());

const imported = async (subject: Subject): Promise<number> => {
  const importId = await subject.newImport();
  return (await place.importGit({ subject, importId, client: subject.shown })).records;
};

/** As a list of the API brings a commit: before its parent. */
const list = ({ repositoryId }: Subject) =>
  place.sql`insert into commits (organization_id, repository_id, hash, parent_hashes, author_name, author_email, author_zone,
      committer_name, committer_email, committer_zone, message)
    values (${place.organizationId}, ${repositoryId}, ${'a'.repeat(40)}, array[${'b'.repeat(40)}], '', '', '', '', '', '', '')`;

async function expectSame(subject: Subject): Promise<void> {
  expect(await storedHistory(place, subject)).toEqual(toldHistory(subject));
  expect(await storedRefs(place, subject)).toEqual(toldRefs(subject));
}

test('a commit that the API listed, and whose parents nobody has, is marked, and nothing is read again for it', async () => {
  const subject = await place.subject('listed');
  addHistory(subject, 200);
  await list(subject);
  await imported(subject);
  await expectSame(subject);
  // A ref is all that is looked at.
  expect(await imported(subject)).toBe(1);
});

test('what the API listed is marked too where no branch is left', async () => {
  const subject = await place.subject('emptied');
  await list(subject);
  const memory = place.sql.json({ listed: ['a'.repeat(40)] });
  await place.sql`insert into streams (organization_id, repository_id, stream, memory)
    values (${place.organizationId}, ${subject.repositoryId}, 'commits', ${memory})`;
  await imported(subject);
  expect(await storedHistory(place, subject)).toEqual([]);
});

test('a branch that goes before an import reads all again for a commit that is missing is marked', async () => {
  const subject = await place.subject('missing');
  addHistory(subject, 20);
  const [root = ''] = subject.git.lines(['rev-list', '--max-parents=0', 'main']);
  addHistory(subject, 20, 'side', 'refs/heads/main~5');
  await imported(subject);
  await place.sql`delete from commits where repository_id = ${subject.repositoryId} and hash = ${root}`;
  await imported(subject);
  subject.git.git(['branch', '-D', 'side']);
  await imported(subject);
  await expectSame(subject);
});

test('the last branch that goes then is marked too', async () => {
  const subject = await place.subject('last');
  addHistory(subject, 20);
  await imported(subject);
  await place.sql`delete from commits where repository_id = ${subject.repositoryId} and parent_hashes = '{}'`;
  await imported(subject);
  subject.git.git(['symbolic-ref', 'HEAD', 'refs/heads/other']);
  subject.git.git(['branch', '-D', 'main']);
  await imported(subject);
  await expectSame(subject);
});
