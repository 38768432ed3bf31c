import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command, Ending } from '../../launcher/command.ts';
import type { LaunchedProcess } from '../../launcher/launchedProcess.ts';
import { launcher } from '../../launcher/launcher.ts';
import { answerCredentialRequests, CREDENTIAL_HELPER, type GitLogin } from './credentialHelper.ts';
import { GitFailed } from './gitFailed.ts';

export interface GitOptions {
  /** a private, empty folder: git reads and writes nothing of the account the worker runs as */
  home: string;
  /** what a remote may be reached by; everything else (file, ssh, git, ext) is refused */
  protocols: readonly ('https' | 'http')[];
}

export interface GitCommand {
  /** the bare repository; absent for commands that make one */
  folder?: string;
  args: readonly string[];
  /** standard input; without it git reads nothing */
  input?: Iterable<string> | AsyncIterable<string>;
  /** kills the whole process group when aborted */
  signal: AbortSignal;
  login?: GitLogin;
  /** each line of standard error as it comes (`Receiving objects:  45% (9/20)`) */
  onLine?: (line: string) => void;
}

export interface GitProcess {
  /** standard output; git waits while nobody reads */
  output: AsyncIterable<Buffer>;
  /**
   * settles when every process of the group let go of its pipes; rejects with GitFailed, or the signal's
   * reason
   */
  finished: Promise<void>;
  /** ends the group early; `finished` then resolves */
  stop(): void;
}

export interface Git {
  start(command: GitCommand): GitProcess;
  /** runs to the end and gives standard output */
  bytes(command: GitCommand): Promise<Buffer>;
  /** the same as text */
  text(command: GitCommand): Promise<string>;
}

/** How long git may tidy up after SIGTERM (clone removes its half-made files) before SIGKILL. */
const GRACE_MS = 2_000;
const STDERR_KEPT = 8_192;

/**
 * Where git and the shell of its credential helper are on Linux, macOS and Nix; the worker's own PATH decides
 * nothing.
 */
const SEARCH_PATH = [
  '/usr/local/bin',
  '/usr/bin',
  '/bin',
  '/opt/homebrew/bin',
  '/run/current-system/sw/bin',
  '/nix/var/nix/profiles/default/bin',
].join(':');

/**
 * Runs git as a program of its own: nothing of the machine's configuration, environment, hooks, templates or
 * submodules takes part, prompts fail at once, and the process group ends with the activity. A worker that is
 * killed leaves git with broken pipes, on which it ends by itself (SIGPIPE at its next line of progress or
 * output).
 */
export function createGit(options: GitOptions): Git {
  function start(command: GitCommand): GitProcess {
    let stopped = false;
    let halt = (): void => {};
    let lastWords = (): string => '';
    const program = { ...programOf(command), cwd: options.home, env: environment(options) };
    const launching = unlessAborted(() => launcher.launch(program), command.signal);

    async function run(): Promise<Ending> {
      const git = await launching;
      const { stdin, stdout, stderr } = git;
      lastWords = keepLastWords(stderr, command.onLine);
      if (command.login !== undefined) answerCredentialRequests(stdin, command.login);
      // git may end before it has read everything; its exit code tells, not the broken pipe
      else pipeline(command.input ?? [], stdin).catch(() => {});
      let killer: NodeJS.Timeout | undefined;
      const end = () => {
        git.kill('SIGTERM');
        killer ??= setTimeout(() => git.kill('SIGKILL'), GRACE_MS);
        // what nobody reads any more must not keep the pipe open
        stdout.resume();
      };
      halt = end;
      command.signal.addEventListener('abort', end, { once: true });
      if (stopped || command.signal.aborted) end();
      try {
        return await git.ended;
      } finally {
        clearTimeout(killer);
        halt = () => {};
        command.signal.removeEventListener('abort', end);
      }
    }

    const finished = run().then(
      ({ code }) => {
        if (command.signal.aborted) throw command.signal.reason;
        if (!stopped && code !== 0) throw new GitFailed(command.args, code, lastWords());
      },
      (error: unknown) => {
        if (command.signal.aborted) throw command.signal.reason;
        throw new GitFailed(command.args, null, error instanceof Error ? error.message : String(error));
      },
    );
    // whoever reads `output` awaits it later; until then a failure is not unhandled
    finished.catch(() => {});
    return {
      output: outputOf(launching),
      finished,
      stop: () => {
        stopped = true;
        halt();
      },
    };
  }

  async function bytes(command: GitCommand): Promise<Buffer> {
    const git = start(command);
    const pieces: Buffer[] = [];
    for await (const piece of git.output) pieces.push(piece);
    await git.finished;
    return Buffer.concat(pieces);
  }

  return { start, bytes, text: async (command) => (await bytes(command)).toString('utf8') };
}

/** Nobody waits for a start that was called off: what starts all the same is ended. Rejects with the signal's reason then. */
function unlessAborted(
  launch: () => Promise<LaunchedProcess>,
  signal: AbortSignal,
): Promise<LaunchedProcess> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const launching = launch();
    const abort = (): void => {
      reject(signal.reason);
      launching.then(endAtOnce, () => {});
    };
    signal.addEventListener('abort', abort, { once: true });
    const started = (): void => signal.removeEventListener('abort', abort);
    launching.finally(started).then(resolve, reject);
  });
}

function endAtOnce({ kill, stdout, stderr }: LaunchedProcess): void {
  kill('SIGKILL');
  stdout.resume();
  stderr.resume();
}

/** Nothing where it could not be started: `finished` tells why. */
async function* outputOf(launching: Promise<LaunchedProcess>): AsyncGenerator<Buffer> {
  const git = await launching.catch(() => undefined);
  if (git !== undefined) yield* git.stdout;
}

/**
 * git itself; with a login behind a shell that makes standard input the channel of the credential helper, and leaves
 * git nothing to read.
 */
function programOf(command: GitCommand): Pick<Command, 'file' | 'args'> {
  const args = [...settings(command), ...command.args];
  if (command.login === undefined) return { file: 'git', args };
  return { file: 'sh', args: ['-c', 'exec 3<&0 </dev/null; exec "$@"', 'sh', 'git', ...args] };
}

/** Settings that a repository's own config must not overrule stand on the command line; none is a secret. */
function settings(command: GitCommand): string[] {
  const values: string[] = [
    'core.hooksPath=/dev/null',
    'core.attributesFile=/dev/null',
    'core.fsmonitor=false',
    // tidying up after many fetches belongs to the process group, not to a daemon of its own
    'gc.autoDetach=false',
    'maintenance.autoDetach=false',
    // parents before children is the slow way through a pack: with git's 96 MB it costs a third more
    'core.deltaBaseCacheLimit=256m',
    'submodule.recurse=false',
    'fetch.recurseSubmodules=false',
    // odd old histories are imported, not judged
    'transfer.fsckObjects=false',
    // a redirect would carry the credential to another host
    'http.followRedirects=false',
    // a stalled transfer ends after two minutes (Bitbucket sends keep-alives while it packs)
    'http.lowSpeedLimit=1',
    'http.lowSpeedTime=120',
    'credential.helper=',
  ];
  if (command.login !== undefined) values.push(`credential.helper=${CREDENTIAL_HELPER}`);
  const folder = command.folder === undefined ? [] : [`--git-dir=${command.folder}`];
  return [...folder, ...values.flatMap((value) => ['-c', value])];
}

function environment(options: GitOptions): Record<string, string> {
  return {
    PATH: SEARCH_PATH,
    HOME: options.home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_TEMPLATE_DIR: '',
    GIT_ALLOW_PROTOCOL: options.protocols.join(':'),
  };
}

/** No part of an error's text, and may be long enough to push it out of what is kept. */
const PROGRESS = /^(remote: )?[A-Z][a-z]+ [a-z]+: +\d+%/;
const MOVED_REF = /^ [ *+=!t-] .* -> /;

/** Passes on whole lines (git ends progress with \r) and keeps the last words for the error. */
function keepLastWords(stderr: Readable, onLine: ((line: string) => void) | undefined): () => string {
  let kept = '';
  let open = '';
  stderr.setEncoding('utf8');
  stderr.on('data', (piece: string) => {
    const lines = (open + piece).split(/[\r\n]/);
    open = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') continue;
      onLine?.(line);
      if (!PROGRESS.test(line) && !MOVED_REF.test(line)) kept = `${kept}${line}\n`.slice(-STDERR_KEPT);
    }
  });
  return () => (kept + open).trim();
}
