/** Keeps the answers of the last `limit` questions; a question asked twice at once is worked out once. */
export interface RecentlyUsed<Value> {
  get(key: string, make: () => Promise<Value>): Promise<Value>;
}

export function createRecentlyUsed<Value>(limit: number): RecentlyUsed<Value> {
  const kept = new Map<string, Promise<Value>>();
  return {
    get(key, make) {
      const known = kept.get(key);
      const value = known ?? make();
      kept.delete(key);
      kept.set(key, value);
      if (!known) value.catch(() => kept.delete(key));
      const oldest = kept.keys().next().value;
      if (kept.size > limit && oldest !== undefined) kept.delete(oldest);
      return value;
    },
  };
}
