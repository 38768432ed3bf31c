import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { LaunchedProcess } from '../../../launcher/launchedProcess.ts';
import { launcher } from '../../../launcher/launcher.ts';
import { waitFor } from '../../support/waitFor.ts';

/** Processes that are started through the fork server: theirs are the streams, the exit code and the group. */
const env = { PATH: process.env['PATH'] ?? '' };
const shell = (script: string): Promise<LaunchedProcess> =>
  launcher.launch({ file: 'sh', args: ['-c', script], cwd: '/', env });

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function run(script: string, input = '') {
  const { stdin, stdout, stderr, ended } = await shell(script);
  stdin.end(input);
  const [out, error] = await Promise.all([textOf(stdout), textOf(stderr)]);
  return { out, error, ...(await ended) };
}

/** What `ps` says of a process. */
const said = async (what: string, pid: number): Promise<string> =>
  promisify(execFile)('ps', ['-ww', '-o', what, '-p', String(pid)]).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  );
/** One that has ended counts as such also while nobody has asked how. */
const isAlive = async (pid: number): Promise<boolean> => /^[^Z]/.test(await said('stat=', pid));
const parentOf = async (pid: number): Promise<number> => Number(await said('ppid=', pid));

test('input, output, error and exit code are its own', async () => {
  expect(await run('cat; echo oh >&2; exit 3', 'hello')).toEqual({
    out: 'hello',
    error: 'oh\n',
    code: 3,
    signal: null,
  });
  expect(await run('kill -9 $$')).toMatchObject({ code: null, signal: 'SIGKILL' });
  expect(await run('pwd; env')).toMatchObject({ out: expect.stringMatching(/^\/\n/) });
  expect((await run('env')).out).not.toContain('VITEST');
});

test('many at once, of which most end before they are looked at', async () => {
  const all = await Promise.all(
    Array.from({ length: 60 }, (_, index) => run(index % 3 === 0 ? `exit ${index}` : `echo ${index}`)),
  );
  for (const [index, { out, code }] of all.entries()) {
    expect([out, code]).toEqual(index % 3 === 0 ? ['', index] : [`${index}\n`, 0]);
  }
});

test('what nobody reads waits, and nothing of it is lost', async () => {
  const { stdin, stdout, stderr, ended, pid } = await shell('head -c 30000000 /dev/zero; echo end');
  stdin.end();
  stderr.resume();
  stdout.pause();
  expect(await isAlive(pid)).toBe(true);
  expect(await textOf(stdout)).toHaveLength(30_000_004);
  expect(await ended).toEqual({ code: 0, signal: null });
});

test('a program that is not there, and a folder', async () => {
  await expect(launcher.launch({ file: 'no-such-program', args: [], cwd: '/', env })).rejects.toThrow(
    'ENOENT',
  );
  await expect(launcher.launch({ file: 'sh', args: [], cwd: '/no/such/folder', env })).rejects.toThrow(
    'ENOENT',
  );
});

test('its whole group ends with it', async () => {
  const { stdin, stdout, stderr, ended, kill } = await shell('sleep 600 & echo $!; wait');
  stdin.end();
  stderr.resume();
  const [first] = (await stdout[Symbol.asyncIterator]().next()).value.toString().split('\n');
  expect(await isAlive(Number(first))).toBe(true);
  kill('SIGTERM');
  stdout.resume();
  expect(await ended).toEqual({ code: null, signal: 'SIGTERM' });
  await waitFor({ what: 'its child ends', read: () => isAlive(Number(first)), until: (alive) => !alive });
  // Its number may be somebody else's by now.
  kill('SIGKILL');
});

test('a fork server that is lost fails what it had in hand, and the next command starts another', async () => {
  const { stdout, stderr, ended, pid } = await shell('sleep 600');
  stdout.resume();
  stderr.resume();
  const first = await parentOf(pid);
  expect(first).not.toBe(process.pid);
  process.kill(first, 'SIGKILL');
  await expect(ended).rejects.toMatchObject({ name: 'LaunchFailed' });
  expect(await run('echo again')).toMatchObject({ out: 'again\n', code: 0 });
  await waitFor({ what: 'it is killed', read: () => isAlive(pid), until: (alive) => !alive });
});

test('nothing of a process stays open once it has ended, whoever reads, writes or waits', async () => {
  const open = async () => (await readdir('/proc/self/fd')).length;
  const before = await open();
  for (let round = 0; round < 20; round += 1) {
    // Its input is not ended, as that of a helper is not, and of the second nothing is read.
    const talking = await shell('echo hello');
    talking.stderr.resume();
    expect(await textOf(talking.stdout)).toBe('hello\n');
    await talking.ended;
    const silent = await shell('exec sleep 600');
    silent.kill('SIGKILL');
    silent.stdout.resume();
    silent.stderr.resume();
    await silent.ended;
    await launcher.launch({ file: 'no-such-program', args: [], cwd: '/', env }).catch(() => {});
  }
  await waitFor({ what: 'all is closed', read: open, until: (now) => now <= before });
});

test('a group is killed for as long as one of it holds what is read', async () => {
  const { pid, stdin, stdout, stderr, ended, kill } = await shell('sleep 600 & exit 0');
  stdin.end();
  stdout.resume();
  stderr.resume();
  // Its leader has ended by now or will at once; the other would sleep for ten minutes.
  await waitFor({ what: 'the leader has ended', read: () => isAlive(pid), until: (alive) => !alive });
  kill('SIGTERM');
  expect(await ended).toEqual({ code: 0, signal: null });
});

test('a socket that was tidied away costs the command that met it, and no other', async () => {
  const { pid, kill, stdout, stderr } = await shell('exec sleep 600');
  stdout.resume();
  stderr.resume();
  const folder = dirname((await said('args=', await parentOf(pid))).split(' ').at(-1) ?? '');
  expect(folder).toContain('bucket-brigade-launcher-');
  await rm(folder, { recursive: true });
  await expect(shell('true')).rejects.toMatchObject({ name: 'LaunchFailed', code: 'ENOENT' });
  expect(await run('echo again')).toMatchObject({ out: 'again\n', code: 0 });
  expect(await isAlive(pid)).toBe(true);
  kill('SIGKILL');
});

test('a process that is killed leaves neither fork server nor folder, and its command ends at its next word', async () => {
  const module = JSON.stringify(new URL('../../../launcher/launcher.ts', import.meta.url).href);
  const script = `
    const { launcher } = await import(${module});
    const { pid, stdout } = await launcher.launch({ file: 'yes', args: [], cwd: '/', env: { PATH: process.env.PATH } });
    stdout.pause();
    process.stdout.write(pid + '\\n');
    await new Promise(() => setInterval(() => {}, 1000));`;
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const child = await launcher.launch({
    file: process.execPath,
    args: ['--import', 'tsx', '--input-type=module', '--eval', script],
    cwd: root,
    env,
  });
  const { value } = await child.stdout[Symbol.asyncIterator]().next();
  const pid = Number(value.toString());
  const forkServer = await parentOf(pid);
  const folder = dirname((await said('args=', forkServer)).split(' ').at(-1) ?? '');
  const left = async () => [await isAlive(pid), await isAlive(forkServer), existsSync(folder)];
  expect(await left()).toEqual([true, true, true]);
  child.kill('SIGKILL');
  await waitFor({
    what: 'nothing of it is left',
    read: left,
    until: (found) => !found.includes(true),
  });
});
