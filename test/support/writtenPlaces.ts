import { readdir, readFile } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import postgres from 'postgres';
import type { Place } from './secretSearch.ts';
import type { Stack } from './stack.ts';
import { stackHistories } from './stackRuns.ts';

/** Places where a secret must never be written, read as they lie there. */

const place = (name: string, text: string): Place => ({ name, content: Buffer.from(text, 'utf8') });

/** Every run's events as stored (payloads in base64, memo, search attributes and summaries among them), and decoded. */
export async function historyPlaces(stack: Stack): Promise<Place[]> {
  const collected = await stackHistories(stack);
  return collected.flatMap(({ run, history }) => [
    place(`history of ${run.workflowId}`, historyToJSON(history)),
    place(`payloads of ${run.workflowId}`, payloadsOf(history).join('\n')),
  ]);
}

/** The bytes of every payload anywhere in a message, as text. */
function payloadsOf(value: unknown): string[] {
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(payloadsOf);
}

/** Every row of every table, all columns but the sealed ones, and what the server shows of its statements. */
export async function databasePlaces(stack: Stack): Promise<Place[]> {
  const sql = postgres(stack.database.superuserUrl, { max: 1, onnotice: () => {} });
  try {
    const tables = await sql`select table_schema, table_name from information_schema.tables
      where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`;
    const places: Place[] = [];
    for (const { table_schema: schema, table_name: table } of tables) {
      const rows = await sql`select (to_jsonb(t) - 'sealed' - 'sealed_verifier' - 'sealed_code')::text as row
        from ${sql(schema)}.${sql(table)} t`;
      places.push(place(`table ${table}`, rows.map(({ row }) => String(row)).join('\n')));
    }
    const activity = await sql`select query from pg_stat_activity where datname = current_database()`;
    places.push(place('statements', activity.map(({ query }) => String(query)).join('\n')));
    return places;
  } finally {
    await sql.end();
  }
}

/** Settings and refs of the clones: everything on the worker's disk that is no git object. */
export async function clonePlaces(stack: Stack): Promise<Place[]> {
  const entries = await readdir(stack.folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && entry.parentPath.includes('clones-'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('/objects/'));
  return Promise.all(files.map(async (path) => ({ name: path, content: await readFile(path) })));
}

/** What processes show of themselves to others, seen again and again until `stop`. Needs /proc. */
export interface ProcessWatch {
  stop(): Promise<Place[]>;
}

function readProcess(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

/** Watches arguments of all processes of this machine, and the environment of what descends from `parents`. */
export function watchProcesses(parents: () => readonly number[]): ProcessWatch {
  const commands = new Set<string>();
  const environments = new Set<string>();
  const ended = new AbortController();

  function look(): void {
    const parentOf = new Map<string, string>();
    const commandOf = new Map<string, string>();
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    for (const pid of pids) {
      commandOf.set(pid, readProcess(pid, 'cmdline').replaceAll('\0', ' '));
      parentOf.set(pid, readProcess(pid, 'stat').split(') ').at(-1)?.split(' ')[1] ?? '');
    }
    const roots = new Set(parents().map(String));
    const descends = (pid: string): boolean => {
      const parent = parentOf.get(pid);
      return parent !== undefined && (roots.has(parent) || descends(parent));
    };
    for (const command of commandOf.values()) commands.add(command);
    for (const pid of pids.filter(descends)) {
      // Between fork and exec a child still is its parent, environment and all.
      if (commandOf.get(pid) === commandOf.get(parentOf.get(pid) ?? '')) continue;
      environments.add(readProcess(pid, 'environ').replaceAll('\0', ' '));
    }
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      look();
      await sleep(10);
    }
  }
  const running = run();
  return {
    async stop() {
      ended.abort();
      await running;
      return [
        place('arguments of processes', [...commands].join('\n')),
        place('environment of children', [...environments].join('\n')),
      ];
    },
  };
}
