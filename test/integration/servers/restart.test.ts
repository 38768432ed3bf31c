import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { startChild } from '../../../scripts/servers/childProcess.ts';
import { startPostgres } from '../../../scripts/servers/embeddedPostgres.ts';
import { postgresUser } from '../../../scripts/servers/postgresUser.ts';
import { startTemporal } from '../../../scripts/servers/temporalDevServer.ts';
import { waitFor } from '../../support/waitFor.ts';

const SERVERS = fileURLToPath(new URL('../../../scripts/servers/', import.meta.url));
const log = (): void => {};

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('local servers', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'servers-'));
    await chmod(folder, 0o755);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('Postgres goes on with its data after it was killed, on the same port and with the same password', async () => {
    const options = { folder: join(folder, 'postgres'), persistent: true, log };
    const first = await startPostgres(options);
    const before = postgres(first.url, { max: 1 });
    await before`create table kept as select 42 as answer`;
    await before.end();
    await first.kill();

    const second = await startPostgres({ ...options, port: first.port });
    const after = postgres(second.url, { max: 1 });
    const rows = await after`select answer from kept`;
    const [settings] = await after`
      select current_setting('fsync') as fsync, current_setting('server_encoding') as encoding,
        current_setting('unix_socket_directories') as sockets`;
    await after.end();
    await second.stop();
    expect(second.url).toBe(first.url);
    expect(rows).toEqual([{ answer: 42 }]);
    expect(settings).toEqual({ fsync: 'on', encoding: 'UTF8', sockets: '' });
  });

  it('Postgres starts although its old process number belongs to somebody else now', async () => {
    const options = { folder: join(folder, 'postgres'), persistent: false, log };
    const first = await startPostgres(options);
    const pidFile = join(folder, 'postgres', 'data', 'postmaster.pid');
    const content = await readFile(pidFile, 'utf8');
    await first.stop();
    // Of the same user: another user's process is none that Postgres takes for a server.
    const somebody = spawn('sleep', ['600'], { ...postgresUser(), stdio: 'ignore' });
    await writeFile(pidFile, content.replace(/^\d+/, String(somebody.pid)));
    const second = await startPostgres(options);
    await second.stop();
    somebody.kill();
    expect(second.pid).not.toBe(first.pid);
  });

  it('Postgres is not started twice on the same data', async () => {
    const options = { folder: join(folder, 'postgres'), persistent: false, log };
    const first = await startPostgres(options);
    await expect(startPostgres(options)).rejects.toThrow(/already runs on .*kill -INT \d+/);
    await first.stop();
  });

  it.runIf(process.getuid?.() === 0)(
    'Postgres works for root below a folder that is closed to others, and forgets with the folder',
    async () => {
      await chmod(folder, 0o700);
      const options = { folder: join(folder, 'postgres'), persistent: false, log };
      const first = await startPostgres(options);
      await first.stop();
      const second = await startPostgres(options);
      await second.stop();
      expect(new URL(second.url).password).toBe(new URL(first.url).password);

      const elsewhere = await readFile(join(folder, 'postgres', 'kept-elsewhere'), 'utf8');
      await rm(join(folder, 'postgres'), { recursive: true });
      const third = await startPostgres(options);
      await third.stop();
      expect(new URL(third.url).password).not.toBe(new URL(first.url).password);
      expect(existsSync(elsewhere)).toBe(false);
      await rm(await readFile(join(folder, 'postgres', 'kept-elsewhere'), 'utf8'), { recursive: true });
    },
  );

  it('Temporal goes on with its workflows after it was killed', async () => {
    const options = {
      executable: inject('servers').temporalCli,
      namespace: 'kept',
      searchAttributes: [],
      dbFile: join(folder, 'temporal.db'),
      log,
    };
    const first = await startTemporal(options);
    const before = await Connection.connect({ address: first.address });
    await new Client({ connection: before, namespace: 'kept' }).workflow.start('nobodyRunsThis', {
      workflowId: 'a-workflow',
      taskQueue: 'nowhere',
    });
    await before.close();
    await first.kill();

    const second = await startTemporal(options);
    const after = await Connection.connect({ address: second.address });
    const description = await new Client({ connection: after, namespace: 'kept' }).workflow
      .getHandle('a-workflow')
      .describe();
    await after.close();
    await second.stop();
    expect(description.status.name).toBe('RUNNING');
  });

  it('a server that cannot start says why', async () => {
    const executable = join(folder, 'temporal');
    await writeFile(executable, '#!/bin/sh\necho "the disk is full" >&2\nexit 5\n', { mode: 0o755 });
    await expect(startTemporal({ executable, namespace: 'x', searchAttributes: [], log })).rejects.toThrow(
      /did not get ready: it ended with code 5.\n {2}the disk is full/,
    );
  });

  it.each(['runs', 'is stopped'])(
    'a server that %s ends with the process that started it, even when that is killed',
    async (how) => {
      const script = `
      import { startPostgres } from '${SERVERS}embeddedPostgres.ts';
      const { pid } = await startPostgres({ folder: process.argv[1], persistent: false, log: () => {} });
      console.log('pid ' + pid);
      setInterval(() => {}, 60_000);`;
      const parent = spawn(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '-e', script, join(folder, 'postgres')],
        { stdio: ['ignore', 'pipe', 'inherit'], cwd: fileURLToPath(new URL('../../..', import.meta.url)) },
      );
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(/pid (\d+)/.exec(line.toString())![1]);
      expect(isAlive(pid)).toBe(true);
      try {
        if (how === 'is stopped') process.kill(pid, 'SIGSTOP');
        parent.kill('SIGKILL');
        await waitFor({ what: 'Postgres has ended', read: () => isAlive(pid), until: (alive) => !alive });
      } finally {
        // A stopped one that did not end would stay behind for ever.
        if (isAlive(pid)) process.kill(pid, 'SIGKILL');
      }
    },
  );

  it('a server that does not end when asked is killed', async () => {
    const lines: string[] = [];
    const child = await startChild({
      command: '/bin/sh',
      args: ['-c', "trap '' TERM; echo deaf; while :; do sleep 0.1; done"],
      log: (line) => lines.push(line),
    });
    await waitFor({ what: 'it is deaf', read: () => lines, until: (seen) => seen.includes('deaf') });
    expect(await child.stop(200)).toEqual({ code: null, signal: 'SIGKILL' });
  });
});
