import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addHistory, storedHistory, toldHistory } from './history.ts';
import { createPlace, type Place } from './place.ts';

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.close());

const clones = (worker: string) => join(place.folder, 'clones', worker);

test('a damaged clone is made anew', async () => {
  const damaged = await place.subject('damaged');
  addHistory(damaged, 50);
  await place.importGit({ subject: damaged, importId: await damaged.newImport(), worker: 'damaged' });
  const clone = join(clones('damaged'), 'ready', damaged.repositoryId);
  for (const name of readdirSync(join(clone, 'objects', 'pack'))) {
    if (!name.endsWith('.pack')) continue;
    rmSync(join(clone, 'objects', 'pack', name));
    writeFileSync(join(clone, 'objects', 'pack', name), 'not a pack');
  }
  writeFileSync(join(clone, 'packed-refs.lock'), '');
  addHistory(damaged, 70, 'more', 'refs/heads/main~0');
  await place.importGit({ subject: damaged, importId: await damaged.newImport(), worker: 'damaged' });
  expect(await storedHistory(place, damaged)).toEqual(toldHistory(damaged));
});

test('a clone whose damage shows in the middle of a walk is made anew, and the walk goes on', async () => {
  const damaged = await place.subject('damaged-within');
  addHistory(damaged, 1_500);
  await place.importGit({ subject: damaged, importId: await damaged.newImport(), worker: 'within' });
  await place.sql`update commits set message = 'wrong' where repository_id = ${damaged.repositoryId}`;
  const packs = join(clones('within'), 'ready', damaged.repositoryId, 'objects', 'pack');
  const pack = join(packs, readdirSync(packs).find((name) => name.endsWith('.pack')) ?? '');
  const bytes = readFileSync(pack);
  const at = Math.floor(bytes.length * 0.8);
  rmSync(pack);
  writeFileSync(pack, bytes.fill(0x55, at, at + 60));
  const importId = await damaged.newImport();
  const result = await place.importGit({ subject: damaged, importId, worker: 'within', mode: 'full' });
  expect(result).toMatchObject({ done: true });
  expect(await storedHistory(place, damaged)).toEqual(toldHistory(damaged));
  const [messages] = await place.sql`select count(*)::int as n from commits
    where repository_id = ${damaged.repositoryId} and message = 'wrong'`;
  expect(messages).toEqual({ n: 0 });
});
