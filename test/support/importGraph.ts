import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')`, but no `import type`. */
const RUNTIME_IMPORT =
  /^\s*(?:import|export)\s+(?!type\b)(?:[^'"`;]*?\bfrom\s*)?['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]/gm;

function importsOf(source: string): string[] {
  return [...source.matchAll(RUNTIME_IMPORT)].flatMap(([, named, dynamic]) => named ?? dynamic ?? []);
}

/**
 * Everything that is loaded at run time when a file is: our own files by their path from `root`, packages by name,
 * each with the chain of files that leads to it. Lint sees one import at a time; this sees what lies behind it.
 */
export function reachableFrom(root: string, entry: string): Map<string, readonly string[]> {
  const reached = new Map<string, readonly string[]>();
  const open: (readonly string[])[] = [[entry]];
  for (let chain = open.pop(); chain !== undefined; chain = open.pop()) {
    const file = chain.at(-1)!;
    if (reached.has(file)) continue;
    reached.set(file, chain);
    // Packages, and files that something else checks for (tsc says when one is missing).
    if (!file.endsWith('.ts') || !existsSync(join(root, file))) continue;
    for (const specifier of importsOf(readFileSync(join(root, file), 'utf8'))) {
      const target = specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier;
      open.push([...chain, target]);
    }
  }
  return reached;
}
