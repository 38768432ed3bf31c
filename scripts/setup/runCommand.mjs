import { spawn } from 'node:child_process';

const TAIL_CHARACTERS = 4_000;

/**
 * Runs a program to its end and keeps the last part of what it printed.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options] after `timeoutMs` it is killed
 * @returns {Promise<{ ok: boolean, output: string, reason: string }>} `reason` says in words why it is not ok
 */
export function runCommand(command, args, { cwd, env, timeoutMs } = {}) {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGKILL' }),
    });
    /** @param {Buffer} chunk */
    const keep = (chunk) => {
      output = (output + chunk.toString('utf8')).slice(-TAIL_CHARACTERS);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ ok: false, output, reason: error.message }));
    child.on('close', (code, signal) => {
      const ended = signal === null ? `it ended with code ${code}` : `it was killed by ${signal}`;
      const lastLines = output.trim().split('\n').slice(-5).join(' | ');
      resolve({ ok: code === 0, output, reason: lastLines === '' ? ended : `${ended}: ${lastLines}` });
    });
  });
}
