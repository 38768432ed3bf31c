import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AutoImportReason, createJudge, type RepositorySight } from '../../../autoImport/decide.ts';
import { type AutoImportRule, type Exclusions, withSince } from '../../../autoImport/rules.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');
const SINCE = '2026-11-01T00:00:00.000000Z';

const repository = (more: Partial<RepositorySight> = {}): RepositorySight => ({
  workspaceId: 'w1',
  projectId: 'p1',
  slug: 'shop-api',
  name: 'Shop API',
  isFork: false,
  updatedOn: '2026-11-25T00:00:00.000000Z',
  firstSeenAt: '2026-11-20T00:00:00.000000Z',
  isVisible: true,
  isOwnerExcluded: false,
  isRemoved: false,
  isImported: false,
  isTakenUp: false,
  ...more,
});

const NOTHING: Exclusions = { names: [], patterns: [], notUpdatedForDays: null, forks: false };

const rule = ({
  exclude = {},
  ...more
}: Partial<Omit<AutoImportRule, 'exclude'>> & { exclude?: Partial<Exclusions> } = {}): AutoImportRule => ({
  workspaceId: more.projectId === undefined ? 'w1' : null,
  projectId: null,
  takes: 'new',
  since: SINCE,
  ...more,
  exclude: { ...NOTHING, ...exclude },
});
const all = (exclude: Partial<Exclusions> = {}) => rule({ takes: 'all', since: null, exclude });

const reasonOf = (rules: AutoImportRule[], more: Partial<RepositorySight> = {}): AutoImportReason =>
  createJudge(rules, NOW)(repository(more)).reason;

describe('a repository', () => {
  test('that is new since the rule is taken; one that was there before only by a rule that takes all', () => {
    const old = { firstSeenAt: '2026-10-31T23:59:59.999999Z' };
    expect(reasonOf([rule()])).toBe('matches');
    expect(reasonOf([rule()], { firstSeenAt: SINCE })).toBe('matches');
    expect(reasonOf([rule()], old)).toBe('known_before');
    const [earlier, later] = ['2026-11-20T00:00:00.123455Z', '2026-11-20T00:00:00.123456Z'];
    expect(reasonOf([rule({ since: later })], { firstSeenAt: earlier })).toBe('known_before');
    expect(reasonOf([rule({ since: earlier })], { firstSeenAt: later })).toBe('matches');
    expect(reasonOf([all()], old)).toBe('matches');
  });

  test.each<[Partial<RepositorySight>, AutoImportReason]>([
    [{ isImported: true }, 'imported'],
    [{ isTakenUp: true }, 'taken_up'],
    [{ isRemoved: true, isTakenUp: true }, 'removed'],
    [{ isVisible: false }, 'not_visible'],
    [{ isOwnerExcluded: true }, 'owner_excluded'],
    [{ workspaceId: 'w2' }, 'no_rule'],
  ])('%j is left alone whatever the rules say: %s', (more, reason) => {
    expect(reasonOf([all()], more)).toBe(reason);
    expect(createJudge([all()], NOW)(repository(more)).rule).toBeNull();
  });

  test('goes by the rule of its project before the one of its workspace', () => {
    const none = rule({ projectId: 'p1', takes: 'none', since: null });
    const judge = createJudge([all(), none], NOW);
    expect(judge(repository())).toMatchObject({ reason: 'rule_takes_none', rule: 1 });
    expect(judge(repository({ projectId: 'p2' }))).toMatchObject({ reason: 'matches', rule: 0 });
    expect(judge(repository({ projectId: null }))).toMatchObject({ reason: 'matches', rule: 0 });
  });

  test.each<[Partial<Exclusions>, Partial<RepositorySight>, AutoImportReason]>([
    [{ names: ['SHOP-api'] }, {}, 'name_excluded'],
    [{ names: ['shop api'] }, {}, 'name_excluded'],
    [{ names: ['shop'] }, {}, 'matches'],
    [{ patterns: ['^x', '-api$'] }, {}, 'pattern_excluded'],
    [{ patterns: ['^Shop'] }, {}, 'pattern_excluded'],
    [{ patterns: ['^api'] }, {}, 'matches'],
    [{ forks: true }, { isFork: true }, 'fork'],
    [{ forks: true }, {}, 'matches'],
    [{}, { isFork: true }, 'matches'],
    [{ notUpdatedForDays: 2 }, { updatedOn: '2026-11-24T11:59:59.999999Z' }, 'not_updated'],
    [{ notUpdatedForDays: 2 }, { updatedOn: '2026-11-24T12:00:00Z' }, 'matches'],
    [{ notUpdatedForDays: 2 }, { updatedOn: null }, 'matches'],
  ])('excluded by %j, as %j: %s', (exclude, more, reason) => {
    expect(reasonOf([all(exclude)], more)).toBe(reason);
    expect(reasonOf([rule({ exclude })], more)).toBe(reason);
  });

  test('names the pattern that it is excluded by', () => {
    expect(createJudge([all({ patterns: ['zzz', 'api'] })], NOW)(repository()).message).toContain('“api”');
  });
});

const anyExclusions: fc.Arbitrary<Exclusions> = fc.record({
  names: fc.array(fc.constantFrom('shop-api', 'other'), { maxLength: 2 }),
  patterns: fc.array(fc.constantFrom('^shop', 'zzz', '(a+)+$'), { maxLength: 2 }),
  notUpdatedForDays: fc.constantFrom(null, 1, 1_000),
  forks: fc.boolean(),
});
const anyRule: fc.Arbitrary<AutoImportRule> = fc
  .record({
    target: fc.constantFrom('w1', 'w2', 'p1', 'p2'),
    takes: fc.constantFrom('new', 'all', 'none'),
    exclude: anyExclusions,
  })
  .map(({ target, takes, exclude }) => ({
    workspaceId: target.startsWith('w') ? target : null,
    projectId: target.startsWith('p') ? target : null,
    takes,
    since: takes === 'new' ? SINCE : null,
    exclude,
  }));
const anyRules = fc.uniqueArray(anyRule, {
  maxLength: 4,
  selector: ({ workspaceId, projectId }) => `${workspaceId}${projectId}`,
});
const anyRepository: fc.Arbitrary<RepositorySight> = fc.record({
  workspaceId: fc.constantFrom('w1', 'w2', 'w3'),
  projectId: fc.constantFrom(null, 'p1', 'p2', 'p3'),
  slug: fc.constantFrom('shop-api', 'other', 'aaaa'),
  name: fc.constantFrom('Shop', 'Other'),
  isFork: fc.boolean(),
  updatedOn: fc.constantFrom(null, '2026-11-26T00:00:00Z', '2020-01-01T00:00:00Z'),
  firstSeenAt: fc.constantFrom('2026-10-01T00:00:00Z', '2026-11-20T00:00:00Z'),
  isVisible: fc.boolean(),
  isOwnerExcluded: fc.boolean(),
  isRemoved: fc.boolean(),
  isImported: fc.boolean(),
  isTakenUp: fc.boolean(),
});

describe('for all rules and repositories', () => {
  test('nothing is taken that was imported, taken up, removed, is out of sight or of an excluded owner', () => {
    fc.assert(
      fc.property(anyRules, anyRepository, (rules, one) => {
        if (createJudge(rules, NOW)(one).reason !== 'matches') return;
        const { isVisible, isOwnerExcluded, isRemoved, isImported, isTakenUp } = one;
        expect([isVisible, isOwnerExcluded, isRemoved, isImported, isTakenUp]).toEqual([
          true,
          false,
          false,
          false,
          false,
        ]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('the order of the rules changes nothing but which place is named', () => {
    fc.assert(
      fc.property(anyRules, anyRepository, (rules, one) => {
        const there = createJudge(rules, NOW)(one);
        const back = createJudge(rules.toReversed(), NOW)(one);
        expect(back.reason).toBe(there.reason);
        expect(back.rule).toBe(there.rule === null ? null : rules.length - 1 - there.rule);
      }),
    );
  });

  test('one exclusion more never takes more', () => {
    fc.assert(
      fc.property(anyRules, anyRepository, anyExclusions, (rules, one, more) => {
        const narrowed = rules.map(({ exclude, ...rest }) => ({
          ...rest,
          exclude: {
            names: [...exclude.names, ...more.names],
            patterns: [...exclude.patterns, ...more.patterns],
            notUpdatedForDays: exclude.notUpdatedForDays ?? more.notUpdatedForDays,
            forks: exclude.forks || more.forks,
          },
        }));
        if (createJudge(narrowed, NOW)(one).reason !== 'matches') return;
        expect(createJudge(rules, NOW)(one).reason).toBe('matches');
      }),
    );
  });
});

test('saved again, a rule keeps since when it takes what is new; another one begins now', () => {
  const { since: _, ...wanted } = rule({ exclude: { forks: true } });
  const now = '2026-11-26T12:00:00.000000Z';
  const [kept] = withSince([wanted], [rule()], now);
  expect(kept).toMatchObject({ since: SINCE, exclude: { forks: true } });
  const other = { ...wanted, workspaceId: null, projectId: 'p1' };
  expect(withSince([other], [rule()], now)[0]?.since).toBe(now);
  expect(withSince([wanted], [all()], now)[0]?.since).toBe(now);
  expect(withSince([{ ...wanted, takes: 'all' }], [rule()], now)[0]?.since).toBeNull();
});
