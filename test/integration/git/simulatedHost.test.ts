import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CanonicalRecord, RecordKind } from '../../../scripts/oracle/canonical.ts';
import { compareRecords, describeDifferences, noDifferences } from '../../../scripts/oracle/compare.ts';
import { STORED } from '../../../scripts/oracle/stored.ts';
import { readTruth } from '../../../scripts/oracle/truth.ts';
import { readAllowance } from '../../../db/queries/allowance.ts';
import { createSimulator, type Simulator } from '../../support/simulator.ts';
import { createPlace, type Place } from './place.ts';

let place: Place;
let simulator: Simulator;
let host: { url: string; username: string; password: string };

interface Listed {
  kind: string;
  repository?: string;
  full_name?: string;
}
let repositories: Listed[];

beforeAll(async () => {
  [place, simulator] = await Promise.all([
    createPlace(),
    createSimulator({ era: 'guide', size: 'tiny', limit: 0 }),
  ]);
  const answer = await fetch(`${simulator.url}/_simulator/credentials`);
  const { credentials } = (await answer.json()) as { credentials: { name: string; secret: string }[] };
  const token = credentials.find(({ name }) => name === 'api_token.admin');
  host = { url: simulator.url, username: 'x-bitbucket-api-token-auth', password: token?.secret ?? '' };
  const state = await (await fetch(`${simulator.url}/_simulator/state`)).text();
  repositories = state
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Listed)
    .filter(({ kind }) => kind === 'repository');
});
afterAll(async () => {
  await simulator.close();
  await place.close();
});

const KINDS: RecordKind[] = ['branch', 'tag', 'commit', 'commit_file'];

test('every repository of the simulated host, odd ones too, is stored as its truth says', async () => {
  expect(repositories.length).toBeGreaterThan(4);
  const found = noDifferences();
  for (const { repository = '', full_name: fullName = '' } of repositories) {
    const subject = await place.subject(fullName.replace('/', '-'), fullName);
    await place.importGit({ subject, importId: await subject.newImport(), host });
    const truth: CanonicalRecord[] = [];
    for await (const record of readTruth(simulator.url, repository, true)) truth.push(record);
    for (const kind of KINDS) {
      const stored = await place.database.transaction(place.organizationId, (tx) =>
        STORED[kind](tx, subject.repositoryId),
      );
      const owed = truth.filter((record) => record.kind === kind);
      compareRecords(found, { repository: fullName, kind }, owed, stored);
    }
  }
  expect(found.examples).toEqual([]);
  expect(describeDifferences(found)).toBe('lost=0 extra=0 stale=0 duplicated=0 corrupted=0');
  expect(found.records).toBeGreaterThan(100);
});

test('its refusals are understood', async () => {
  const subject = await place.subject('refused', 'acme-rockets/flight-control');
  const wrong = { ...host, password: 'wrong' };
  await expect(
    place.importGit({ subject, importId: await subject.newImport(), host: wrong }),
  ).rejects.toMatchObject({ type: 'AuthRefused' });
  const absent = await place.subject('absent', 'acme-rockets/never-there');
  await expect(
    place.importGit({ subject: absent, importId: await absent.newImport(), host }),
  ).rejects.toMatchObject({ type: 'RepositoryGone' });
});

test('a clone and a fetch take from the window of git operations at least what the host counts', async () => {
  const fullName = 'acme-rockets/telemetry';
  const subject = await place.subject('counted', fullName);
  const run = { subject, host, accountKey: 'counted', limits: { git_operations: 1_000 } };
  const counted = () =>
    [...simulator.journal.since(0)].filter(({ path, status }) => path.includes('.git/') && status === 200);
  const taken = async () => {
    const read = await place.database.statement((tx) =>
      readAllowance(tx, { accountKey: 'counted', group: 'git_operations' }),
    );
    return read?.used ?? 0;
  };
  const before = counted().length;
  await place.importGit({ ...run, importId: await subject.newImport() });
  const cloned = counted().length - before;
  expect(cloned).toBeGreaterThan(1);
  expect(await taken()).toBeGreaterThanOrEqual(cloned);
  const author = { name: 'Ann', email: 'ann@example.com' };
  const change = { kind: 'push', branch: 'main', commits: [{ message: 'more', author }] };
  await simulator.mutate({ kind: 'git', repository: fullName, change });
  await place.importGit({ ...run, importId: await subject.newImport() });
  const fetched = counted().length - before - cloned;
  expect(fetched).toBeGreaterThan(1);
  expect(await taken()).toBeGreaterThanOrEqual(cloned + fetched);
  expect([cloned, fetched]).toEqual([3, 3]);
});

test('without room for another git operation the import waits', async () => {
  const subject = await place.subject('waits', 'acme-rockets/flight-control');
  const result = await place.importGit({
    subject,
    importId: await subject.newImport(),
    host,
    limits: { git_operations: 3 },
  });
  expect(result).toMatchObject({ done: false, limited: { why: 'Bitbucket allowance' } });
});
