import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresUser } from '../../../scripts/servers/postgresUser.ts';
import { reachableFolder, removeDataBelow } from '../../../scripts/servers/reachableFolder.ts';

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

describe.skipIf(process.getuid?.() !== 0)(
  'as root, data of a folder that the user postgres cannot reach',
  () => {
    let closed: string;

    beforeAll(async () => {
      closed = await mkdtemp(join(tmpdir(), 'closed-'));
    });
    afterAll(() => rm(closed, { recursive: true, force: true }));

    it('is kept elsewhere, found again, and goes with the folders above it and no others', async () => {
      const folder = join(closed, 'data', 'postgres');
      const elsewhere = await reachableFolder(folder, postgresUser());
      expect(elsewhere.startsWith(closed)).toBe(false);
      expect(await reachableFolder(folder, postgresUser())).toBe(elsewhere);

      await removeDataBelow(`${closed}/da`);
      expect(await isThere(elsewhere)).toBe(true);
      await removeDataBelow(closed);
      expect(await isThere(elsewhere)).toBe(false);
    });

    it('is forgotten when its folder was deleted meanwhile', async () => {
      const folder = join(closed, 'postgres');
      const before = await reachableFolder(folder, postgresUser());
      await rm(folder, { recursive: true });
      expect(await reachableFolder(folder, postgresUser())).not.toBe(before);
      expect(await isThere(before)).toBe(false);
      await removeDataBelow(closed);
    });
  },
);
