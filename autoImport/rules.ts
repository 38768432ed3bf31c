/** What of a workspace or project an auto-import rule takes: what is new since the rule, all, or nothing. */
export const AUTO_IMPORT_TAKES = ['new', 'all', 'none'] as const;
export type AutoImportTakes = (typeof AUTO_IMPORT_TAKES)[number];

/** What a rule leaves out; everything left out here excludes nothing. */
export interface Exclusions {
  /** slugs or names, whole, whatever the case */
  names: string[];
  /** patterns of RE2, found anywhere in the slug or the name */
  patterns: string[];
  /** those that Bitbucket says were last updated longer ago; null: however old */
  notUpdatedForDays: number | null;
  forks: boolean;
}

/** A rule of a project goes before the one of its workspace. Exactly one of the two ids is set. */
export interface AutoImportRule {
  workspaceId: string | null;
  projectId: string | null;
  takes: AutoImportTakes;
  /** of `new`: what the integration saw first before this time is not taken; ISO. null: of the others */
  since: string | null;
  exclude: Exclusions;
}

/** A rule as a person asks for it: since when it takes what is new follows from what is saved. */
export type WantedRule = Omit<AutoImportRule, 'since'>;

/** Two rules are about the same when this is the same. */
export const targetOf = ({
  workspaceId,
  projectId,
}: Pick<WantedRule, 'workspaceId' | 'projectId'>): string =>
  projectId === null ? `workspace/${workspaceId}` : `project/${projectId}`;

/**
 * The rules with the time from which each takes what is new: as saved where it took what is new already, else `now`. So
 * another exclusion does not make older repositories out of those that wait for it, and nothing that is there is taken
 * unless the rule says `all`.
 */
export function withSince(
  wanted: readonly WantedRule[],
  saved: readonly AutoImportRule[],
  now: string,
): AutoImportRule[] {
  const before = new Map(saved.map((rule) => [targetOf(rule), rule.since]));
  return wanted.map((rule) => ({
    ...rule,
    since: rule.takes === 'new' ? (before.get(targetOf(rule)) ?? now) : null,
  }));
}

const asWanted = ({ workspaceId, projectId, takes, exclude }: WantedRule): string => {
  const { names, patterns, notUpdatedForDays, forks } = exclude;
  return JSON.stringify([workspaceId, projectId, takes, names, patterns, notUpdatedForDays, forks]);
};

/** Whether the rules say the same, in the same order. */
export const sameRules = (one: readonly WantedRule[], other: readonly WantedRule[]): boolean =>
  one.length === other.length &&
  one.every((rule, at) => {
    const counterpart = other[at];
    return counterpart !== undefined && asWanted(rule) === asWanted(counterpart);
  });
