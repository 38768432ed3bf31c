import { isRepository, readRepository, type RepositoryRow } from '../db/queries/api/discovered.ts';
import type { Transaction } from '../db/client.ts';
import { notFound } from './problem.ts';

/** The repository's row, or 404: for what is not there and for what belongs to another organization. */
export async function repositoryOrNotFound(tx: Transaction, id: string): Promise<RepositoryRow> {
  const row = await readRepository(tx, id);
  if (row === null) throw notFound('repository');
  return row;
}

/**
 * What `work` reads of a repository, or 404. Both go together: `work` gets an id that may be nobody's, and finds nothing
 * there.
 */
export async function ofRepository<T>(tx: Transaction, id: string, work: Promise<T>): Promise<T> {
  const [isThere, found] = await Promise.all([isRepository(tx, id), work]);
  if (!isThere) throw notFound('repository');
  return found;
}
