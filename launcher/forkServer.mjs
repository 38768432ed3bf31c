/**
 * The process that starts others for `launcher.ts`: small, so that to fork it costs little. Its first argument is the
 * socket where the streams of what it starts are received. It ends, and removes the folder of the socket, when the process
 * that it starts them for has ended, however that came about.
 */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';

const address = process.argv[2] ?? '';

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

/** @param {import('./launcher.ts').Order} order */
async function start({ id, file, args, cwd, env }) {
  const streams = await Promise.all([0, 1, 2].map((descriptor) => connected(id, descriptor)));
  const child = spawn(file, args, { cwd, env, detached: true, stdio: streams });
  // It has them now; what is left open here would keep the other side from seeing their end.
  for (const stream of streams) stream.destroy();
  child.once('spawn', () => say({ id, pid: child.pid }));
  child.once('error', (error) => say({ id, failed: String(error) }));
  child.once('exit', (code, signal) => say({ id, code, signal }));
}

/** @param {object} what */
const say = (what) => void process.send?.(what, () => {});

process.on('message', (/** @type {import('./launcher.ts').Order} */ order) => {
  start(order).catch((error) => say({ id: order.id, failed: String(error) }));
});
process.once('disconnect', () => {
  rmSync(dirname(address), { recursive: true, force: true });
  process.exit();
});
// A signal to the whole group of a terminal is for the other side to act on: it may still need what it started.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
