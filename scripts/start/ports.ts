import { hostname } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../setup/cacheFolder.mjs';
import { takeOwnerLock, withOwnerLock } from '../setup/ownerLock.mjs';

/** Where the ports of each service of a start begin. */
export interface Ports {
  readonly api: number;
  readonly simulator: number;
  /** of the first worker; the others listen above it */
  readonly workerMetrics: number;
  readonly postgres: number;
  readonly temporal: number;
  readonly temporalUi: number;
}

/** Of the only start of a user, so that a bookmark keeps working. */
const FIRST: Ports = {
  api: 4400,
  simulator: 4410,
  workerMetrics: 4420,
  postgres: 5433,
  temporal: 7233,
  temporalUi: 8233,
};
const APART = 100;
const STARTS = 10;

// Not the folder for temporary files: starts of the same user may each have one of their own. Ports are a machine's, and
// machines may share the cache.
const lockFolder = (): string => join(cacheFolder(process.env, process.platform), `ports-${hostname()}`);

let ownStart: Promise<number> | undefined;

/**
 * The ports of this process's start. Starts that run at the same time have ports of their own for as long as they live: a
 * service that is down for a moment would else lose its port to another start, and not come back. Somebody else may still
 * listen there, so ask for the next free one (`freePort`).
 * Throws when ten starts of this user run already.
 */
export async function portsOfThisStart(): Promise<Ports> {
  ownStart ??= takeStart();
  const by = (await ownStart) * APART;
  return {
    api: FIRST.api + by,
    simulator: FIRST.simulator + by,
    workerMetrics: FIRST.workerMetrics + by,
    postgres: FIRST.postgres + by,
    temporal: FIRST.temporal + by,
    temporalUi: FIRST.temporalUi + by,
  };
}

async function takeStart(): Promise<number> {
  for (let start = 0; start < STARTS; start += 1)
    if (await takeOwnerLock(join(lockFolder(), `start-${start}`))) return start;
  throw new Error(`${STARTS} starts run on this machine already. Stop one of them.`);
}

/** One start at a time is between choosing a port and listening on it: else two would take the same port for free. */
export const whileChoosingPorts = <T>(
  onWait: (ownerPid: number) => void,
  work: () => Promise<T>,
): Promise<T> => withOwnerLock(join(lockFolder(), 'lock'), { onWait }, work);
