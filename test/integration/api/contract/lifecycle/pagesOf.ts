import { call } from '../../../../support/apiWorld.ts';
import type { Checked } from '../../../../support/contract.ts';

/** The rows of a list, read page by page; of a long one no more than 200 and what its last page has. */
export async function pagesOf(path: string, limit: number): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body }: Checked = await call(
      'GET',
      `${path}?limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    rows.push(...body.data);
    cursor = rows.length >= 200 ? null : body.next_cursor;
  }
  return rows;
}
