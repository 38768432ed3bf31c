/** How many event streams this process has open; others count their own. */
export interface StreamLimit {
  /** A place for a stream of this key, to be released when it ends (more than once does no harm); null: there is none. */
  take(apiKeyId: string): (() => void) | null;
}

/**
 * A stream costs a look at the database every half second, which all customers share: so a key has only so many, and the
 * process too.
 *
 * @example
 * const release = streams.take(principal.apiKeyId);
 * if (release === null) throw tooManyStreams();
 */
export function createStreamLimit({ perKey, inAll }: { perKey: number; inAll: number }): StreamLimit {
  const open = new Map<string, number>();
  let all = 0;
  return {
    take(apiKeyId) {
      const own = open.get(apiKeyId) ?? 0;
      if (own >= perKey || all >= inAll) return null;
      open.set(apiKeyId, own + 1);
      all += 1;
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        all -= 1;
        const left = (open.get(apiKeyId) ?? 0) - 1;
        if (left > 0) open.set(apiKeyId, left);
        else open.delete(apiKeyId);
      };
    },
  };
}
