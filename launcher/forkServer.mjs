/**
 * The process that starts others for `forkServer.ts`: small, so that to fork it costs little. Its first argument is the
 * socket where the streams of what it starts are received. It ends, and removes the folder of the socket, when the process
 * that it starts them for has ended, however that came about.
 */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [, , address] = process.argv;
if (address === undefined || process.send === undefined) {
  throw new Error('It is started by launcher/forkServer.ts, with the address of its socket.');
}

/** The other side is busy and has more connections waiting than the system keeps: it takes them when it comes to it. */
const BUSY = new Set(['EAGAIN', 'ECONNREFUSED']);
const TRIES = 100;
const PAUSE_MS = 50;

/**
 * A connection that becomes one of the standard streams of a process to be; the other side is told which.
 *
 * @param {number} id
 * @param {number} descriptor
 * @returns {Promise<import('node:net').Socket>}
 */
const connected = (id, descriptor) =>
  new Promise((resolve, reject) => {
    const socket = connect(address);
    socket.once('error', reject);
    socket.once('connect', () =>
      socket.write(`${id} ${descriptor}\n`, (error) => (error ? reject(error) : resolve(socket))),
    );
  });

/**
 * @param {number} id
 * @param {number} descriptor
 */
async function connectedInTime(id, descriptor) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await connected(id, descriptor);
    } catch (error) {
      if (!BUSY.has(codeOf(error) ?? '') || tries === TRIES) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

/** @param {import('./command.ts').Order} order */
async function start({ id, file, args, cwd, env }) {
  const asked = [0, 1, 2].map((descriptor) => connectedInTime(id, descriptor));
  const streams = (await Promise.allSettled(asked)).flatMap((each) =>
    each.status === 'fulfilled' ? [each.value] : [],
  );
  try {
    await Promise.all(asked);
    const child = spawn(file, args, { cwd, env, detached: true, stdio: streams });
    child.once('spawn', () => say({ id, pid: child.pid }));
    child.once('error', (error) => say({ id, failed: described(error), isCutOff: false }));
    child.once('exit', (code, signal) => say({ id, code, signal }));
  } finally {
    // It has them now; what is left open here would keep the other side from seeing their end.
    for (const stream of streams) stream.destroy();
  }
}

/** @param {unknown} error */
const codeOf = (error) =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;

/** @param {unknown} error */
const described = (error) => ({
  code: codeOf(error),
  message: error instanceof Error ? error.message : String(error),
});

/** @param {object} what */
const say = (what) => void process.send?.(what, () => {});

process.on('message', (/** @type {import('./command.ts').Order} */ order) => {
  start(order).catch((error) => {
    const isCutOff = error instanceof Error && 'syscall' in error && error.syscall === 'connect';
    say({ id: order.id, failed: described(error), isCutOff });
  });
});
process.once('disconnect', () => {
  rmSync(dirname(address), { recursive: true, force: true });
  process.exit();
});
// A signal to the whole group of a terminal is for the other side to act on: it may still need what it started.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
