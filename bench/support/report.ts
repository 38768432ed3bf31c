import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { promisify } from 'node:util';
import type { BenchResult } from '../main.ts';
import { BARS } from './bars.ts';

const HEAD = `# Benchmarks

\`npm run bench -- NAME\` measures one, \`npm run bench\` all of them and writes this file (with \`--report\` one of them writes
its row; \`--help\` shows the options). Each starts real processes on data of its own: Postgres, Temporal on disk, the
simulator, worker and api, as \`npm start\` does (\`support/stand.ts\`). The last line of its output is one flat JSON object;
times are medians of several runs.

| benchmark | figures | bars | measured |
|---|---|---|---|`;

const shown = (figures: BenchResult): string =>
  Object.entries(figures)
    .map(
      ([name, value]) =>
        `${name} ${typeof value === 'number' ? value.toLocaleString('en-US') : String(value)}`,
    )
    .join('<br>');

/** Writes the figures with the bars they meet or miss into the table; the rows of other benchmarks stay. */
export async function writeReport(file: URL, results: ReadonlyMap<string, BenchResult>): Promise<void> {
  const measured = await whereAndWhen(file);
  const rows = await readRows(file);
  for (const [name, figures] of results) {
    const bars = BARS.filter(({ bench }) => bench === name).map(
      (bar) => `${bar.met(figures) ? 'met' : '**missed**'}: ${bar.text}`,
    );
    rows.set(name, `| \`${name}\` | ${shown(figures)} | ${bars.join('<br>')} | ${measured} |`);
  }
  const sorted = [...rows].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, row]) => row);
  await writeFile(file, `${[HEAD, ...sorted].join('\n')}\n`);
}

async function readRows(file: URL): Promise<Map<string, string>> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const rows = text.split('\n').flatMap((row): [string, string][] => {
    const name = /^\| `(\w+)` \|/.exec(row)?.[1];
    return name === undefined ? [] : [[name, row]];
  });
  return new Map(rows);
}

/** Commit, day and machine. */
async function whereAndWhen(file: URL): Promise<string> {
  const { stdout } = await promisify(execFile)('git', ['rev-parse', '--short=12', 'HEAD'], {
    cwd: new URL('.', file),
  });
  const processor = cpus()[0]?.model ?? 'unknown processor';
  const memory = `${Math.round(totalmem() / 1_024 ** 3)} GB`;
  const machine = `${cpus().length} × ${processor}, ${memory}, Node ${process.version}`;
  return `${stdout.trim()}, ${new Date().toISOString().slice(0, 10)}<br>${machine}`;
}
