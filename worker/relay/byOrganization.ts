/** Sorts what belongs to several tenants: each is worked on in a transaction of its own. */
export function byOrganization<T extends { organizationId: string }>(items: readonly T[]): Map<string, T[]> {
  const sorted = new Map<string, T[]>();
  for (const item of items) {
    const those = sorted.get(item.organizationId);
    if (those === undefined) sorted.set(item.organizationId, [item]);
    else those.push(item);
  }
  return sorted;
}
