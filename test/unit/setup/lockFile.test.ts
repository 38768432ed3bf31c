import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

interface LockedPackage {
  resolved?: string;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  optionalDependencies?: Record<string, string>;
}

async function lockedPackages(): Promise<Record<string, LockedPackage>> {
  const file = fileURLToPath(new URL('../../../package-lock.json', import.meta.url));
  return (JSON.parse(await readFile(file, 'utf8')) as { packages: Record<string, LockedPackage> }).packages;
}

/** The places where Node looks for a package from another, nearest first. */
function placesOf(name: string, from: string): string[] {
  const places = [];
  for (
    let folder = from;
    folder !== '';
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
  ) {
    places.push(`${folder}/node_modules/${name}`);
  }
  return [...places, `node_modules/${name}`];
}

it('package-lock.json lists the packages of every system, without which npm ci refuses it', async () => {
  const packages = await lockedPackages();
  const missing = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) =>
      placesOf(name, from).every((place) => packages[place] === undefined),
    ),
  );
  // To mend it see docs/decisions/lock-file-of-every-system.md.
  expect(missing).toEqual([]);
});

it('package-lock.json names no registry, so that it works with any mirror', async () => {
  const packages = await lockedPackages();
  expect(Object.keys(packages).filter((path) => packages[path]?.resolved !== undefined)).toEqual([]);
});
