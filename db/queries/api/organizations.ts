import { eq } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';
import { organizations } from '../../schema/index.ts';

/** The exact URLs that the OAuth callback may send a browser of this organization back to. */
export async function readReturnUrls(tx: Transaction, organizationId: string): Promise<string[]> {
  const [row] = await tx
    .select({ returnUrls: organizations.returnUrls })
    .from(organizations)
    .where(eq(organizations.id, organizationId));
  return row?.returnUrls ?? [];
}
