import { type SingleBar, MultiBar, Presets } from 'cli-progress';

/** One repository of an import, as the API tells it, in the terms of a progress bar. */
export interface RepositoryProgress {
  readonly name: string;
  readonly state: string;
  readonly stored: number;
  /** undefined while the source has not said yet */
  readonly expected: number | undefined;
  /** what it waits for, or why it failed */
  readonly note: string | undefined;
}

export interface ProgressView {
  update(repositories: readonly RepositoryProgress[]): void;
  /** Leaves the last picture on the screen. */
  close(): void;
}

const NAME_WIDTH = 34;

/** How long a repository that moves may go without a line, and how close two of its lines may be. */
const QUIET_MS = 10_000;
const APART_MS = 1_000;

/**
 * Live bars on a terminal. Anywhere else (a pipe, a log file) a plain line whenever a repository's state changes, and
 * while it moves every 10 % or 10 s.
 */
export function createProgressView(
  say: (line: string) => void,
  terminal: boolean,
  now: () => number = Date.now,
): ProgressView {
  return terminal ? barsView() : linesView(say, now);
}

function barsView(): ProgressView {
  const bars = new MultiBar(
    {
      format: '  {name} {bar} {value}/{total} {note}',
      hideCursor: true,
      clearOnComplete: false,
      barsize: 24,
      noTTYOutput: false,
      autopadding: true,
    },
    Presets.shades_classic,
  );
  const byName = new Map<string, SingleBar>();
  return {
    update(repositories) {
      for (const repository of repositories) {
        const { name, stored, state, note } = repository;
        const total = Math.max(repository.expected ?? 0, stored, 1);
        const payload = { name: name.slice(-NAME_WIDTH).padEnd(NAME_WIDTH), note: note ?? state };
        const bar = byName.get(name);
        if (bar === undefined) byName.set(name, bars.create(total, stored, payload));
        else {
          bar.setTotal(total);
          bar.update(state === 'completed' ? total : stored, payload);
        }
      }
    },
    close: () => bars.stop(),
  };
}

interface Told {
  readonly state: string;
  readonly text: string;
  readonly atMs: number;
  readonly stored: number;
}

function linesView(say: (line: string) => void, now: () => number): ProgressView {
  const told = new Map<string, Told>();
  return {
    update(repositories) {
      for (const repository of repositories) {
        const { name, state, stored } = repository;
        const last = told.get(name);
        const text = lineOf(repository);
        if (state === 'pending' || (last !== undefined && !isNews(last, text, repository, now()))) continue;
        told.set(name, { state, text, stored, atMs: now() });
        say(text);
      }
    },
    close() {},
  };
}

function lineOf({ name, state, stored, expected, note }: RepositoryProgress): string {
  const of = expected === undefined ? '' : ` of ${expected}`;
  return `  ${name}: ${state}, ${stored}${of} records${note === undefined ? '' : ` (${note})`}`;
}

function isNews(
  last: Told,
  text: string,
  { state, stored, expected }: RepositoryProgress,
  nowMs: number,
): boolean {
  if (last.state !== state) return true;
  if (last.text === text) return false;
  const ageMs = nowMs - last.atMs;
  const tenth = expected !== undefined && stored - last.stored >= expected / 10;
  return ageMs >= QUIET_MS || (tenth && ageMs >= APART_MS);
}
