import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeVersionProblem } from '../../../scripts/setup/nodeVersion.mjs';
import { withOwnerLock } from '../../../scripts/setup/ownerLock.mjs';
import { ensurePackages } from '../../../scripts/setup/packages.mjs';
import { startLockOf } from '../../../scripts/setup/startLock.mjs';

const WANTED = {
  '': { version: '1.0.0' },
  'node_modules/kept': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/other-system': { version: '1.0.0', integrity: 'sha512-b', optional: true },
};
const INSTALLED = { 'node_modules/kept': { version: '1.0.0', integrity: 'sha512-a' } };

describe('npm packages', () => {
  let root: string;
  let installs: number;
  let said: string[];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'packages-'));
    installs = 0;
    said = [];
    await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages: WANTED }));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  async function writeInstalled(packages: object): Promise<void> {
    await mkdir(join(root, 'node_modules'), { recursive: true });
    await writeFile(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
  }

  const ensure = (): Promise<boolean> =>
    ensurePackages({
      root,
      say: (message) => void said.push(message),
      install: async () => {
        installs += 1;
        await sleep(20);
        await writeInstalled(INSTALLED);
      },
    });

  it('are installed when node_modules is missing, with a word about why and how long', async () => {
    expect(await ensure()).toBe(true);
    expect(installs).toBe(1);
    expect(said.join()).toMatch(/npm ci.*half a minute.*node_modules is missing/);
  });

  it('are left alone, without a word, when they are what the lock file says', async () => {
    await writeInstalled(INSTALLED);
    expect(await ensure()).toBe(false);
    expect([installs, said]).toEqual([0, []]);
  });

  it.each([
    ['another version', { 'node_modules/kept': { version: '0.9.0', integrity: 'sha512-a' } }],
    ['other content', { 'node_modules/kept': { version: '1.0.0', integrity: 'sha512-z' } }],
    ['a missing package', {}],
    ['a package too many', { ...INSTALLED, 'node_modules/more': { version: '1.0.0' } }],
  ])('are installed again when there is %s', async (_case, installed) => {
    await writeInstalled(installed);
    expect(await ensure()).toBe(true);
    expect(installs).toBe(1);
  });

  it('are installed again after an installation that was broken off', async () => {
    await mkdir(join(root, 'node_modules', 'kept'), { recursive: true });
    expect(await ensure()).toBe(true);
  });

  it('are installed once when several ask at the same time', async () => {
    expect((await Promise.all([ensure(), ensure(), ensure()])).filter(Boolean)).toHaveLength(1);
    expect(installs).toBe(1);
  });

  it('are not taken from under a start that runs, which is to be stopped first', async () => {
    const asStart = <T>(work: () => Promise<T>): Promise<T> =>
      withOwnerLock(startLockOf(join(root, '.bucket-brigade')), {}, work);
    await asStart(() => expect(ensure()).rejects.toThrow(`stop process ${process.pid} first`));
    expect(installs).toBe(0);
    expect(await ensure()).toBe(true);
    expect(await asStart(ensure)).toBe(false);
  });

  it('are not taken for installed when npm leaves them wrong', async () => {
    const install = (): Promise<void> => writeInstalled({});
    await expect(ensurePackages({ root, say: () => {}, install })).rejects.toThrow(
      'node_modules/kept is not installed',
    );
  });
});

describe('the version of Node', () => {
  it.each(['20.19.0', '20.20.2', '22.0.0', '24.11.1'])('%s will do', (version) => {
    expect(nodeVersionProblem(version)).toBeUndefined();
  });

  it.each(['16.20.0', '18.20.4', '20.18.3'])('%s is refused with what to do', (version) => {
    expect(nodeVersionProblem(version)).toMatch(
      new RegExp(`Node 20\\.19 or newer.*Node ${version}[^]*nvm install`),
    );
  });
});
