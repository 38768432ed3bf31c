import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Ports } from '../../../scripts/start/ports.ts';

const MODULE = fileURLToPath(new URL('../../../scripts/start/ports.ts', import.meta.url));

/** Asks for its ports twice, tells them, and lives on. */
const START = `
  const { portsOfThisStart } = await import(process.argv[1]);
  const [ports, again] = [await portsOfThisStart(), await portsOfThisStart()];
  console.log(JSON.stringify({ ports, again }));
  setInterval(() => {}, 1_000);
`;

let folder: string;
const started: ReturnType<typeof spawn>[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ports-'));
});
afterEach(async () => {
  await Promise.all(started.splice(0).map(kill));
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<{ ports: Ports; child: ReturnType<typeof spawn> }> {
  const args = ['--import', 'tsx', '--input-type=module', '-e', START, MODULE];
  const env = { ...process.env, XDG_CACHE_HOME: folder };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  started.push(child);
  const [line] = await once(child.stdout, 'data');
  const { ports, again } = JSON.parse(String(line)) as { ports: Ports; again: Ports };
  expect(again).toEqual(ports);
  return { ports, child };
}

async function kill(child: ReturnType<typeof spawn>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'close');
}

test('starts that run at the same time have ports of their own; those of one that was killed are free again', async () => {
  const starts = await Promise.all([start(), start(), start()]);
  const ports = starts.flatMap((one) => Object.values(one.ports));
  expect(new Set(ports).size).toBe(3 * 6);

  const [first] = starts.filter((one) => one.ports.api === 4400);
  await kill(first!.child);
  expect((await start()).ports).toEqual(first!.ports);
});
