import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LaunchedProcess } from '../../launcher/launchedProcess.ts';
import { launcher } from '../../launcher/launcher.ts';

/**
 * The only git settings there are: nothing of the machine or its user is read.
 * Nothing is compressed, and no deltas are looked for when serving: on loopback bytes are cheap and
 * processors are not.
 */
const GIT_CONFIG = `[safe]
	directory = *
[core]
	hooksPath = /dev/null
	compression = 0
	packedGitWindowSize = 1m
[gc]
	auto = 0
[maintenance]
	auto = false
[pack]
	window = 0
[init]
	defaultBranch = main
[user]
	name = Simulator
	email = simulator@example.test
[http]
	receivepack = false
	getanyfile = false
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
`;

export interface GitProcesses {
  /** Starts git, as the leader of a group, which is killed with the store. */
  start(args: string[], options?: { environment?: Record<string, string> }): Promise<LaunchedProcess>;
  /** Runs git to its end. Throws with git's own words when it fails. */
  run(args: string[], input?: string | Buffer): Promise<Buffer>;
  close(): Promise<void>;
}

/** Every git process of the store, with an environment of its own in `folder`. `path`: where git is found, as in PATH. */
export function createGitProcesses({ folder, path }: { folder: string; path: string }): GitProcesses {
  mkdirSync(folder, { recursive: true });
  const configPath = join(folder, 'gitconfig');
  // Renamed into place: two stores may share a folder, and neither may read half a file.
  writeFileSync(`${configPath}.${process.pid}`, GIT_CONFIG);
  renameSync(`${configPath}.${process.pid}`, configPath);
  const running = new Set<LaunchedProcess>();
  const starting = new Set<Promise<unknown>>();
  const baseEnvironment = {
    PATH: path,
    HOME: folder,
    LC_ALL: 'C',
    TZ: 'UTC',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: configPath,
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_TERMINAL_PROMPT: '0',
    // fast-import allocates and frees as it goes; giving memory back each time costs it a third of its speed.
    MALLOC_TOP_PAD_: '67108864',
    MALLOC_TRIM_THRESHOLD_: '268435456',
  };

  async function start(
    args: string[],
    options: { environment?: Record<string, string> } = {},
  ): Promise<LaunchedProcess> {
    const launching = launch(args, { ...baseEnvironment, ...options.environment });
    starting.add(launching);
    return launching.finally(() => starting.delete(launching));
  }

  async function launch(args: string[], env: Record<string, string>): Promise<LaunchedProcess> {
    const child = await launcher.launch({ file: 'git', args, cwd: folder, env });
    running.add(child);
    const forget = (): void => void running.delete(child);
    child.ended.then(forget, forget);
    // A reader that ended early shows in the exit code; the broken pipe itself says nothing more.
    child.stdin.on('error', () => {});
    return child;
  }

  async function run(args: string[], input?: string | Buffer): Promise<Buffer> {
    const child = await start(args);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    const ended = exitOf(child, args);
    child.stdin.end(input ?? '');
    await ended;
    return Buffer.concat(chunks);
  }

  async function close(): Promise<void> {
    await Promise.allSettled(starting);
    await Promise.allSettled(
      [...running].map(async (child) => {
        child.kill('SIGKILL');
        child.stdout.resume();
        child.stderr.resume();
        await child.ended;
      }),
    );
  }

  return { start, run, close };
}

/** Git ended with something else than 0. */
export class GitError extends Error {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;

  constructor(message: string, exitCode: number | null) {
    super(message);
    this.name = 'GitError';
    this.exitCode = exitCode;
  }
}

/** Settles when the process has ended and its output is read; rejects with its error text unless it ended with 0. */
export async function exitOf(child: LaunchedProcess, args: string[]): Promise<void> {
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const { code, signal } = await child.ended;
  if (code === 0) return;
  const words = Buffer.concat(errors).toString('utf8').trim().slice(0, 2_000);
  const command = args.filter((word) => !word.startsWith('-')).slice(0, 2);
  throw new GitError(`git ${command.join(' ')} ended with ${signal ?? code}: ${words}`, code);
}
