/** What is believed of lists that lack what was there before. */
export interface VanishingRules {
  /** two lists that agree must be so far apart */
  goneAfterMs: number;
  /** so many may vanish from a workspace at once, however few it has, before a person is asked */
  atLeast: number;
}

export const VANISHING_RULES: VanishingRules = { goneAfterMs: 60 * 60_000, atLeast: 1 };

/** Of the known repositories of a workspace; more at once are more likely a fault than the truth. */
const MOST_SHARE = 0.1;

/** A list that was read to its end, against what is known. */
export interface ComparedList {
  /** repositories that were there before, the missing ones among them */
  known: number;
  /** those that the list lacks; `missingForMs`: how long before this list another one lacked them first, null: none did */
  missing: readonly { repositoryId: string; missingForMs: number | null }[];
  /** a person is asked about some of them already */
  asked: boolean;
}

export interface ListDecision {
  /** missing for the first time: to be remembered, no more */
  fresh: string[];
  /** two lists agree, but on too many: a person decides */
  ask: string[];
  /** two lists agree: each is looked up by itself, and marked if it is not there */
  suspects: string[];
}

/**
 * What follows from a full list of a workspace's repositories. One list alone proves nothing: a repository must be missing
 * in two, `goneAfterMs` apart. An empty list, and one that lacks more than a tenth (and more than `atLeast`), is doubted as
 * a whole: then nothing is marked, and where two agree on it a person is asked. While that question is open nothing is
 * marked either.
 */
export function decideList({ known, missing, asked }: ComparedList, rules: VanishingRules): ListDecision {
  const fresh = missing.filter(({ missingForMs }) => missingForMs === null);
  const agreed = missing.filter(
    ({ missingForMs }) => missingForMs !== null && missingForMs >= rules.goneAfterMs,
  );
  const most = Math.max(rules.atLeast, Math.floor(known * MOST_SHARE));
  const isEmpty = known > 0 && missing.length === known;
  const isTooMuch = isEmpty || missing.length > most;
  const asks = isTooMuch && (agreed.length > most || (isEmpty && agreed.length === known));
  return {
    fresh: idsOf(fresh),
    ask: asks ? idsOf(agreed) : [],
    suspects: isTooMuch || asked ? [] : idsOf(agreed),
  };
}

const idsOf = (missing: ComparedList['missing']): string[] => missing.map(({ repositoryId }) => repositoryId);
