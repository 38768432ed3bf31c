import type { ObjectReader } from './objectReader.ts';
import { type RefRecord, UnknownRevisionError } from './store.ts';

/**
 * The commit a user means: branch, tag, or a hash of 4 to 40 digits. Only hex ever reaches git, so that no
 * spelling of a revision (`@{1}`, `--all`, `:/text`) is run from a request.
 */
export async function resolveRevision(
  reader: ObjectReader,
  refs: readonly RefRecord[],
  name: string,
): Promise<string | undefined> {
  const named = refs.find((ref) => ref.name === name);
  if (named) return named.target;
  if (!/^[0-9a-f]{4,40}$/i.test(name)) return undefined;
  return (await reader.read(`${name.toLowerCase()}^{commit}`))?.hash;
}

/** As {@link resolveRevision} for many; throws {@link UnknownRevisionError} with all that are unknown. */
export async function resolveRevisions(
  reader: ObjectReader,
  refs: readonly RefRecord[],
  names: readonly string[],
): Promise<string[]> {
  const hashes = await Promise.all(names.map((name) => resolveRevision(reader, refs, name)));
  const unknown = names.filter((_, at) => hashes[at] === undefined);
  if (unknown.length > 0) throw new UnknownRevisionError(unknown);
  return hashes.filter((hash) => hash !== undefined);
}
