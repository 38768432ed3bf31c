import { realpath } from 'node:fs/promises';
import { BadOptions } from './options.ts';

/**
 * The local git repositories that the simulator serves: those of earlier starts, then those named now. What was
 * discovered once must stay there, or its next import fails; and the order must stay, since of two folders with the
 * same name the second is served under another. Throws BadOptions when one is not there.
 */
export async function servedRepositories(
  remembered: readonly string[],
  named: readonly string[],
): Promise<string[]> {
  for (const path of remembered) {
    await realPath(
      path,
      `An earlier start imported ${path}, which is not there any more. Put it back, or forget with --reset what earlier starts of this size imported.`,
    );
  }
  const now: string[] = [];
  for (const path of named) now.push(await realPath(path, `--repository ${path} is not there.`));
  return [...new Set([...remembered, ...now])];
}

async function realPath(path: string, otherwise: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw new BadOptions(otherwise, { cause: error });
  }
}
