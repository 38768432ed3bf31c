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

/** Live bars on a terminal; one plain line whenever a repository's state changes anywhere else (a pipe, a log file). */
export function createProgressView(say: (line: string) => void, terminal: boolean): ProgressView {
  return terminal ? barsView() : linesView(say);
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

function linesView(say: (line: string) => void): ProgressView {
  const told = new Map<string, string>();
  return {
    update(repositories) {
      for (const { name, state, stored, expected, note } of repositories) {
        if (told.get(name) === state || state === 'pending') continue;
        told.set(name, state);
        const of = expected === undefined ? '' : ` of ${expected}`;
        say(`  ${name}: ${state}, ${stored}${of} records${note === undefined ? '' : ` (${note})`}`);
      }
    },
    close() {},
  };
}
