import { compilePattern, type Pattern } from './patterns.ts';
import { type AutoImportRule, targetOf } from './rules.ts';

/** A repository as the rules look at it. Times are ISO or as Postgres writes them, read by `Date.parse`. */
export interface RepositorySight {
  workspaceId: string;
  projectId: string | null;
  slug: string;
  name: string;
  isFork: boolean;
  /** null: Bitbucket does not say */
  updatedOn: string | null;
  /** when the integration saw it first */
  firstSeenAt: string;
  /** the last discovery saw it, or it was found since */
  isVisible: boolean;
  /** its workspace is one of the owners that the integration leaves out */
  isOwnerExcluded: boolean;
  /** a person removed its data */
  isRemoved: boolean;
  isImported: boolean;
  /** an import has or had it, however that ended */
  isTakenUp: boolean;
}

/** Why a repository is taken (`matches`), or why not: the first that holds. */
export const AUTO_IMPORT_REASONS = [
  'imported',
  'taken_up',
  'removed',
  'not_visible',
  'owner_excluded',
  'no_rule',
  'rule_takes_none',
  'known_before',
  'name_excluded',
  'pattern_excluded',
  'not_updated',
  'fork',
  'matches',
] as const;
export type AutoImportReason = (typeof AUTO_IMPORT_REASONS)[number];

/** For counting: no repository yet for any of them. */
export const noneCounted = (): Record<AutoImportReason, number> => ({
  imported: 0,
  taken_up: 0,
  removed: 0,
  not_visible: 0,
  owner_excluded: 0,
  no_rule: 0,
  rule_takes_none: 0,
  known_before: 0,
  name_excluded: 0,
  pattern_excluded: 0,
  not_updated: 0,
  fork: 0,
  matches: 0,
});

export interface Decision {
  reason: AutoImportReason;
  /** place of the rule that decided; null: none did */
  rule: number | null;
  /** one sentence for a person */
  message: string;
}

const DAY_MS = 86_400_000;

/** Judges one repository. */
export type Judge = (repository: RepositorySight) => Decision;

interface Prepared {
  rule: AutoImportRule;
  place: number;
  names: ReadonlySet<string>;
  patterns: readonly Pattern[];
}

const lower = (text: string): string => text.toLowerCase();

/**
 * Prepares rules, which must be free of faults, to judge many repositories. `nowMs`: the clock by which repositories are
 * old.
 *
 * @example
 * const judge = createJudge(rules, Date.now());
 * judge(repository); // { reason: 'pattern_excluded', rule: 0, message: 'The pattern “^legacy-” is in its name.' }
 */
export function createJudge(rules: readonly AutoImportRule[], nowMs: number): Judge {
  const prepared = new Map<string, Prepared>(
    rules.map((rule, place) => [
      targetOf(rule),
      {
        rule,
        place,
        names: new Set(rule.exclude.names.map(lower)),
        patterns: rule.exclude.patterns.map(compilePattern),
      },
    ]),
  );
  const ruleOf = ({ workspaceId, projectId }: RepositorySight): Prepared | undefined =>
    (projectId === null ? undefined : prepared.get(targetOf({ workspaceId: null, projectId }))) ??
    prepared.get(targetOf({ workspaceId, projectId: null }));

  return (repository) => {
    const beyond = beyondRules(repository);
    if (beyond !== undefined) return { ...beyond, rule: null };
    const found = ruleOf(repository);
    if (found === undefined) {
      return { reason: 'no_rule', rule: null, message: 'No rule is about its project or workspace.' };
    }
    return { ...byRule(found, repository, nowMs), rule: found.place };
  };
}

type Verdict = Omit<Decision, 'rule'>;

/** What holds whatever the rules say. */
function beyondRules(repository: RepositorySight): Verdict | undefined {
  if (repository.isRemoved) {
    return { reason: 'removed', message: 'A person removed its data: only an import by its id takes it up.' };
  }
  if (repository.isImported) return { reason: 'imported', message: 'It is imported already.' };
  if (repository.isTakenUp) {
    return { reason: 'taken_up', message: 'An import took it up already, and says what became of it.' };
  }
  if (!repository.isVisible) {
    return { reason: 'not_visible', message: 'The last discovery did not see it.' };
  }
  if (repository.isOwnerExcluded) {
    return { reason: 'owner_excluded', message: 'Its workspace is one of the excluded owners.' };
  }
  return undefined;
}

/** Two times as Postgres writes them: a Date alone forgets the microseconds, and a rule is saved in less than a millisecond. */
function isBefore(one: string, other: string): boolean {
  const [ms, otherMs] = [Date.parse(one), Date.parse(other)];
  return ms === otherMs ? microseconds(one) < microseconds(other) : ms < otherMs;
}
const microseconds = (time: string): string => (/\.(\d+)/.exec(time)?.[1] ?? '').padEnd(6, '0');

function byRule({ rule, names, patterns }: Prepared, repository: RepositorySight, nowMs: number): Verdict {
  const { exclude, takes, since } = rule;
  const { slug, name, updatedOn, firstSeenAt, isFork } = repository;
  if (takes === 'none') return { reason: 'rule_takes_none', message: 'The rule takes nothing.' };
  if (since !== null && isBefore(firstSeenAt, since)) {
    return {
      reason: 'known_before',
      message: 'It was there before the rule, which takes what is new since then.',
    };
  }
  if (names.has(lower(slug)) || names.has(lower(name))) {
    return { reason: 'name_excluded', message: 'The rule excludes its name.' };
  }
  const pattern = patterns.find((one) => one.isIn(slug) || (name !== slug && one.isIn(name)));
  if (pattern !== undefined) {
    return { reason: 'pattern_excluded', message: `The pattern “${pattern.source}” is in its name.` };
  }
  const { notUpdatedForDays: days, forks } = exclude;
  if (days !== null && updatedOn !== null && Date.parse(updatedOn) < nowMs - days * DAY_MS) {
    return { reason: 'not_updated', message: `It was not updated for ${days} days.` };
  }
  if (forks && isFork) return { reason: 'fork', message: 'It is a fork, which the rule excludes.' };
  return {
    reason: 'matches',
    message: takes === 'all' ? 'The rule takes all.' : 'It is new since the rule.',
  };
}
