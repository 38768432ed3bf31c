import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

const REPOSITORY = 'acme-rockets/telemetry';

let situation: Situation;
let input: ImportInput;
/** a branch that a new pull request can come from */
let branch: string;
beforeEach(async () => {
  situation = await createSituation({ size: 'small' });
  input = await situation.startImport(await situation.repository(REPOSITORY));
  const truth = await fetch(`${situation.simulator.url}/_simulator/state`);
  const lines = (await truth.text()).split('\n').filter((line) => line !== '');
  const records = lines.map((line) => JSON.parse(line) as Record<string, string>);
  const repository = records.find((record) => record['full_name'] === REPOSITORY)?.['repository'];
  const branches = records.filter(
    (record) => record['kind'] === 'branch' && record['repository'] === repository,
  );
  branch = branches.find((record) => record['name'] !== 'main')?.['name'] ?? '';
});
afterEach(() => situation.close());

const mutate = (kind: string, more: Record<string, unknown>) =>
  situation.simulator.mutate({ kind, repository: REPOSITORY, ...more });

describe('while people go on working', () => {
  test('pages that shift while they are read lose nothing in the same import', async () => {
    // Entries on top push the feed's pages down; new pull requests and edits do not move pages read by key.
    await situation.chunk(input, { limits: { requests: 3 } });
    for (let index = 0; index < 30; index += 1)
      await mutate('comment.add', { number: 1 + index, raw: 'On top' });
    for (let index = 0; index < 3; index += 1) {
      await mutate('pull_request.create', { title: `New ${String(index)}`, source: branch });
    }
    await situation.importAll(input);
    expect(await situation.differences()).toBe('');
  });

  test('entries that vanish push others past the walk; the comparison finds and fetches them', async () => {
    await situation.chunk(input, { limits: { requests: 7 } });
    for (let number = 40; number <= 60; number += 1) await mutate('activity.remove', { number });
    await situation.importAll(input);
    const repaired = situation.simulator.journal
      .since(0)
      .filter(({ path }) => /pullrequests\/\d+\/(activity|comments)/.test(path));
    expect(repaired.length).toBeGreaterThan(0);
    const lost = (await situation.differences()).split('\n').filter((line) => line.startsWith('lost'));
    // What no count and no state tells of (a change of title) is seen by the next full import.
    expect(lost.filter((line) => !/activity \d+ update/.test(line))).toEqual([]);
  });
});
