import { readdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { writeReport } from './support/report.ts';

/** What a benchmark found: flat, units at the end of the names. */
export type BenchResult = Record<string, number | string | boolean>;

export interface BenchOptions {
  /** writes a line for people */
  say: (line: string) => void;
  /** a folder for the CPU profiles of the processes that are measured */
  cpuProfile?: string;
  /** amounts, as a share of what the bars are for: less than 1 is for development */
  scale: number;
  /** requests in a window that the simulated host allows, and its length, where a benchmark is about them */
  limit?: number;
  windowMs?: number;
  /** a local git repository to measure git with */
  repository?: string;
}

/** A file of this folder exports one as `bench`. */
export type Bench = (options: BenchOptions) => Promise<BenchResult>;

const HELP = `Measures one thing, or all.

  npm run bench -- [NAME] [--scale SHARE] [--limit N] [--window-ms N] [--repository PATH] [--cpu-profile FOLDER]

  --scale SHARE          smaller amounts for a quick look, e.g. 0.1; the bars are for 1, the default
  --limit N, --window-ms N   what \`allowance\` is measured against: requests in a window, and its length
  --report               write the figures into bench/README.md too, as all do together
  --repository PATH      the git repository that \`git\` measures with
  --cpu-profile FOLDER   for CPU profiles of what is measured, and the costs of its statements

The last line is one flat JSON object; with several benchmarks each name stands before its own figures.
Names:`;

async function listNames(): Promise<string[]> {
  const files = await readdir(new URL('.', import.meta.url));
  return files
    .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
    .map((file) => file.slice(0, -'.ts'.length))
    .toSorted();
}

async function load(name: string): Promise<Bench> {
  const loaded: { bench?: Bench } = await import(new URL(`${name}.ts`, import.meta.url).href);
  if (!loaded.bench) throw new Error(`bench/${name}.ts exports no bench`);
  return loaded.bench;
}

/** An option that is a whole number above 0, if it was given. */
function numberOf<Name extends string>(name: Name, text: string | undefined): { [Key in Name]?: number } {
  if (text === undefined) return {};
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`${name} must be a whole number, not ${text}`);
  const found: { [Key in Name]?: number } = {};
  found[name] = Number(text);
  return found;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      'cpu-profile': { type: 'string' },
      scale: { type: 'string', default: '1' },
      repository: { type: 'string' },
      report: { type: 'boolean', default: false },
      limit: { type: 'string' },
      'window-ms': { type: 'string' },
    },
    allowPositionals: true,
  });
  const names = await listNames();
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  if (values.help) return say(`${HELP} ${names.join(', ')}`);
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new Error(`No benchmark ${unknown.join(', ')}; there are ${names.join(', ')}`);
  const chosen = positionals.length > 0 ? positionals : names;
  const results = new Map<string, BenchResult>();
  for (const name of chosen) {
    say(`${name}:`);
    const bench = await load(name);
    const profile = values['cpu-profile'];
    const found = await bench({
      say,
      scale: Number(values.scale),
      ...(profile === undefined ? {} : { cpuProfile: profile }),
      ...(values.repository === undefined ? {} : { repository: values.repository }),
      ...numberOf('limit', values.limit),
      ...numberOf('windowMs', values['window-ms']),
    });
    results.set(name, found);
    if (chosen.length > 1) say(JSON.stringify(found));
  }
  if (values.report || positionals.length === 0)
    await writeReport(new URL('README.md', import.meta.url), results);
  say(JSON.stringify(flat(results)));
}

/** With several benchmarks each figure carries its benchmark's name. */
function flat(results: ReadonlyMap<string, BenchResult>): BenchResult {
  const figures: BenchResult = {};
  for (const [name, found] of results) {
    const prefix = results.size > 1 ? `${name}.` : '';
    for (const [figure, value] of Object.entries(found)) figures[`${prefix}${figure}`] = value;
  }
  return figures;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
