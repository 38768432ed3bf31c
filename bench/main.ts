import { readdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';

/** What a benchmark found: flat, units at the end of the names. */
export type BenchResult = Record<string, number | string | boolean>;

export interface BenchOptions {
  /** writes a line for people */
  say: (line: string) => void;
  /** a folder for the CPU profiles of the processes that are measured */
  cpuProfile?: string;
  /** amounts, as a share of what the bars are for: less than 1 is for development */
  scale: number;
  /** a local git repository to measure git with */
  repository?: string;
}

/** A file of this folder exports one as `bench`. */
export type Bench = (options: BenchOptions) => Promise<BenchResult>;

const HELP = `Measures one thing, or all.

  npm run bench -- [NAME] [--scale SHARE] [--repository PATH] [--cpu-profile FOLDER]

  --scale SHARE          smaller amounts for a quick look, e.g. 0.1; the bars are for 1, the default
  --repository PATH      the git repository that \`git\` measures with
  --cpu-profile FOLDER   where the processes that are measured write their CPU profiles

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

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      'cpu-profile': { type: 'string' },
      scale: { type: 'string', default: '1' },
      repository: { type: 'string' },
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
  const results: BenchResult = {};
  for (const name of chosen) {
    const bench = await load(name);
    const profile = values['cpu-profile'];
    const found = await bench({
      say,
      scale: Number(values.scale),
      ...(profile === undefined ? {} : { cpuProfile: profile }),
      ...(values.repository === undefined ? {} : { repository: values.repository }),
    });
    const prefix = chosen.length > 1 ? `${name}.` : '';
    for (const [figure, value] of Object.entries(found)) results[`${prefix}${figure}`] = value;
  }
  say(JSON.stringify(results));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
