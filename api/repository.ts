import { readRepository, type RepositoryRow } from '../db/queries/api/discovered.ts';
import type { Transaction } from '../db/client.ts';
import { notFound } from './problem.ts';

/** The repository's row, or 404: for what is not there and for what belongs to another organization. */
export async function repositoryOrNotFound(tx: Transaction, id: string): Promise<RepositoryRow> {
  const row = await readRepository(tx, id);
  if (row === null) throw notFound('repository');
  return row;
}
