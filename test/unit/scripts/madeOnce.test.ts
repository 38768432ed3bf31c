import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { madeOnce } from '../../../scripts/madeOnce.ts';

let cache: string;
beforeEach(() => (cache = mkdtempSync(join(tmpdir(), 'bucket-brigade-made-'))));
afterEach(() => rmSync(cache, { recursive: true }));

const write =
  (text: string) =>
  async (folder: string): Promise<void> =>
    writeFileSync(join(folder, 'file'), text);

test('it is made once, and found whole afterwards', async () => {
  const first = await madeOnce(cache, 'programs-1', write('first'));
  const second = await madeOnce(cache, 'programs-1', write('second'));
  expect([second, readFileSync(join(second, 'file'), 'utf8')]).toEqual([first, 'first']);
  expect(readdirSync(cache)).toEqual(['programs-1']);
});

test('several at once end with one, and nothing half made beside it', async () => {
  const asked = ['a', 'b', 'c'].map((text) => madeOnce(cache, 'programs-1', write(text)));
  expect(new Set(await Promise.all(asked)).size).toBe(1);
  expect(readdirSync(cache)).toEqual(['programs-1']);
});

test('what fails leaves nothing, and is made by the next who asks', async () => {
  const failing = madeOnce(cache, 'programs-1', () => Promise.reject(new Error('It does not compile.')));
  await expect(failing).rejects.toThrow('It does not compile.');
  expect(readdirSync(cache)).toEqual([]);
  await madeOnce(cache, 'programs-1', write('good'));
  expect(readdirSync(cache)).toEqual(['programs-1']);
});

test('what nobody asked for in 30 days goes when something new is made', async () => {
  const daysAgo = (days: number): number => Date.now() / 1000 - days * 86_400;
  const old = await madeOnce(cache, 'programs-old', write('old'));
  const used = await madeOnce(cache, 'programs-used', write('used'));
  utimesSync(old, daysAgo(31), daysAgo(31));
  utimesSync(used, daysAgo(31), daysAgo(31));
  await madeOnce(cache, 'programs-used', write('again'));
  await madeOnce(cache, 'programs-new', write('new'));
  expect(readdirSync(cache).toSorted()).toEqual(['programs-new', 'programs-used']);
});
