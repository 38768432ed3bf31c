import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { promisify } from 'node:util';
import type { BenchResult } from '../main.ts';
import { BARS } from './bars.ts';

const HEAD = `# Benchmarks

\`npm run bench -- NAME\` measures one, \`npm run bench\` all of them and writes this file (\`--help\` shows the options). Each
starts real processes on data of its own: Postgres, Temporal on disk, the simulator, worker and api, as \`npm start\` does
(\`support/stand.ts\`). The last line of its output is one flat JSON object; times are medians of several runs.
`;

const shown = (figures: BenchResult): string =>
  Object.entries(figures)
    .map(
      ([name, value]) =>
        `${name} ${typeof value === 'number' ? value.toLocaleString('en-US') : String(value)}`,
    )
    .join('<br>');

/** Writes the table of all figures with the bars they meet or miss. */
export async function writeReport(file: URL, results: ReadonlyMap<string, BenchResult>): Promise<void> {
  const rows = [...results].map(([name, figures]) => {
    const bars = BARS.filter(({ bench }) => bench === name).map(
      (bar) => `${bar.met(figures) ? 'met' : '**missed**'}: ${bar.text}`,
    );
    return `| \`${name}\` | ${shown(figures)} | ${bars.join('<br>')} |`;
  });
  const { stdout } = await promisify(execFile)('git', ['rev-parse', '--short=12', 'HEAD'], {
    cwd: new URL('.', file),
  });
  const processor = cpus()[0]?.model ?? 'unknown processor';
  const machine = `${cpus().length} cores (${processor}), ${Math.round(totalmem() / 1_024 ** 3)} GB, Node ${process.version}, ${process.platform}`;
  const text = [
    HEAD,
    `Measured on ${machine}; commit ${stdout.trim()}, ${new Date().toISOString().slice(0, 10)}.`,
    '',
    '| benchmark | figures | bars |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
  await writeFile(file, text);
}
