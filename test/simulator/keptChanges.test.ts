import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SimulatorOptions } from '../../simulator/options.ts';
import { createSimulator, type Simulator } from '../support/simulator.ts';

const WORLD: NonNullable<SimulatorOptions['world']> = {
  workspaces: [{ slug: 'one', name: 'One', projects: [{ key: 'P', name: 'P' }] }],
  repositories: [
    { workspace: 'one', project: 'P', slug: 'app', pullRequests: 12, commits: 20, tickets: 3 },
    {
      workspace: 'one',
      project: 'P',
      slug: 'side',
      pullRequests: 2,
      commits: 5,
      isShared: true,
    },
    { workspace: 'one', project: 'P', slug: 'same', pullRequests: 2, commits: 5, sharesGitOf: 'one/side' },
  ],
};
const author = { name: 'Mia', email: 'mia-member@example.com' };
const push = (repository: string, branch: string) => ({
  kind: 'git',
  repository,
  change: { kind: 'push', branch, onto: 'main', commits: [{ message: 'More\n', author }] },
});

describe('changes that are kept', () => {
  let folder: string;
  let simulator: Simulator;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kept-changes-'));
  });
  afterEach(async () => {
    await simulator.close();
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (options: Partial<SimulatorOptions> = {}) => {
    simulator = await createSimulator({
      world: WORLD,
      era: 'guide',
      limit: 0,
      dataFolder: folder,
      keepChanges: true,
      ...options,
    });
  };
  /** Sorted: what is listed in the order of a walk of git is the same set. */
  const state = async () =>
    (await (await fetch(`${simulator.url}/_simulator/state`)).text()).split('\n').toSorted();
  const again = async (options: Partial<SimulatorOptions> = {}) => {
    await simulator.close();
    await start(options);
  };

  it('are there after a restart, in pull requests, comments, tickets, repositories and git', async () => {
    await start();
    const fresh = await state();
    const { number } = (await (async () => {
      await simulator.mutate(push('one/app', 'topic'));
      return simulator.mutate({
        kind: 'pull_request.create',
        repository: 'one/app',
        title: 'New',
        source: 'topic',
      });
    })()) as { number: number };
    await simulator.mutate({ kind: 'pull_request.edit', repository: 'one/app', number: 1, title: 'Edited' });
    await simulator.mutate({ kind: 'comment.add', repository: 'one/app', number, raw: 'Good' });
    await simulator.mutate({ kind: 'pull_request.approve', repository: 'one/app', number, user: 'member' });
    await simulator.mutate({ kind: 'pull_request.merge', repository: 'one/app', number });
    await simulator.mutate({ kind: 'ticket.create', repository: 'one/app', title: 'Broken' });
    await simulator.mutate({ kind: 'repository.rename', repository: 'one/app', slug: 'application' });
    await simulator.mutate({ kind: 'repository.create', workspace: 'one', slug: 'made', commits: 3 });
    await simulator.mutate(push('one/same', 'own'));
    // All at once: one after another, and in the same order again.
    await Promise.all(
      [1, 2, 3].map((n) =>
        simulator.mutate({ kind: 'pull_request.edit', repository: 'one/side', number: 1, title: `${n}` }),
      ),
    );
    const changed = await state();
    expect(changed).not.toEqual(fresh);

    await again();
    expect(await state()).toEqual(changed);
    await simulator
      .mutate({ kind: 'pull_request.edit', repository: 'one/made', number: 1, title: 'x' })
      .catch(() => {});
    await simulator.mutate({
      kind: 'pull_request.edit',
      repository: 'one/application',
      number: 2,
      title: 'Later',
    });
    const later = await state();
    await again();
    expect(await state()).toEqual(later);
    await again({ keepChanges: false });
    expect(await state()).toEqual(fresh);
  });

  it('are refused again when they were refused, and a line that was cut off was never made', async () => {
    await start();
    await expect(
      simulator.mutate({ kind: 'pull_request.edit', repository: 'one/app', number: 99, title: 'x' }),
    ).rejects.toThrow('99');
    await simulator.mutate({ kind: 'pull_request.edit', repository: 'one/app', number: 1, title: 'Edited' });
    const changed = await state();
    const file = join(folder, 'changes.jsonl');
    await appendFile(file, '{"at_ms":1,"change":{"kind":"pull_requ');
    await again();
    expect(await state()).toEqual(changed);
    await simulator.mutate({ kind: 'pull_request.edit', repository: 'one/app', number: 1, title: 'Twice' });
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).change?.title)).toEqual([undefined, 'x', 'Edited', 'Twice']);
  });

  it('do not hold hooks and secrets, which belong to a run', async () => {
    await start();
    await simulator.mutate({
      kind: 'hook.create',
      workspace: 'one',
      url: 'http://127.0.0.1:1/',
      secret: 'quiet',
    });
    await simulator.mutate({ kind: 'credential.revoke', name: 'api_token.service' });
    expect(await readFile(join(folder, 'changes.jsonl'), 'utf8')).not.toMatch(/quiet|revoke/);
    await again();
    expect(await (await fetch(`${simulator.url}/_simulator/hooks`)).json()).toEqual({ hooks: [] });
  });

  it('belong to their world: another seed is refused', async () => {
    await start();
    await expect(
      createSimulator({ world: WORLD, seed: 2, dataFolder: folder, keepChanges: true }),
    ).rejects.toThrow('another seed or size');
  });
});
