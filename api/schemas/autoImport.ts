import { z } from '@hono/zod-openapi';
import { AUTO_IMPORT_REASONS, type Decision } from '../../autoImport/decide.ts';
import { faultOf } from '../../autoImport/patterns.ts';
import { AUTO_IMPORT_TAKES, type AutoImportRule, targetOf, type WantedRule } from '../../autoImport/rules.ts';
import type { SavedRules } from '../../db/queries/api/autoImport.ts';
import type { Sight } from '../../db/queries/autoImport.ts';
import { unescapeText } from '../../db/text.ts';
import { createCursor, cursorText } from '../cursor.ts';
import { instantOrNull } from '../instant.ts';
import { createdBy, cursorQuery, id, limitQuery, timestamp } from './shared.ts';

const MOST_RULES = 200;
/** Of all rules together: each takes milliseconds to look at. */
const MOST_PATTERNS = 100;

const name = z.string().trim().min(1).max(200);

const pattern = z
  .string()
  .min(1)
  .max(200)
  .meta({ description: 'RE2 syntax; found anywhere in slug or name unless it says `^` or `$`' });

const exclude = z.strictObject({
  names: z.array(name).max(100).default([]).meta({ description: 'slugs or names, whole, whatever the case' }),
  patterns: z.array(pattern).max(20).default([]),
  not_updated_for_days: z
    .int()
    .min(1)
    .max(36_500)
    .nullable()
    .default(null)
    .meta({ description: 'leaves out what was last updated longer ago; null: nothing is too old' }),
  forks: z.boolean().default(false).meta({ description: 'true: forks are left out' }),
});

const takes = z.enum(AUTO_IMPORT_TAKES).meta({
  description:
    '`new`: what the integration sees for the first time after the rule was saved; `all`: also what is there already; ' +
    '`none`: nothing, for a project whose workspace has a rule',
});

const wantedRule = z
  .strictObject({
    workspace_id: id.nullable().default(null),
    project_id: id
      .nullable()
      .default(null)
      .meta({ description: 'a rule of a project goes before the one of its workspace' }),
    takes: takes.default('new'),
    since: timestamp
      .nullable()
      .optional()
      .meta({ description: 'as it was read; what is sent changes nothing' }),
    exclude: exclude.prefault({}),
  })
  .refine((rule) => (rule.workspace_id === null) !== (rule.project_id === null), {
    message: 'A rule is about exactly one of workspace_id and project_id.',
    params: { fix: 'Give one of them; make two rules of it where both are meant.' },
  })
  .superRefine((rule, context) => {
    const { names, patterns, not_updated_for_days: days, forks } = rule.exclude;
    const excludes = names.length > 0 || patterns.length > 0 || days !== null || forks;
    if (rule.takes !== 'none' || !excludes) return;
    context.addIssue({
      code: 'custom',
      path: ['exclude'],
      message: 'The rule takes nothing, so there is nothing to exclude from it.',
      params: { fix: 'Leave `exclude` out, or let the rule take `new` or `all`.' },
    });
  });

type Context = z.core.$RefinementCtx<z.infer<typeof wantedRule>[]>;

/** Counted before any is looked at. */
function checkPatterns(rules: readonly z.infer<typeof wantedRule>[], context: Context): void {
  const total = rules.reduce((sum, one) => sum + one.exclude.patterns.length, 0);
  if (total > MOST_PATTERNS) {
    context.addIssue({
      code: 'custom',
      message: `The rules have ${total} patterns together.`,
      params: { fix: `Give at most ${MOST_PATTERNS}; \`a|b\` makes one of two.` },
    });
    return;
  }
  for (const [place, one] of rules.entries()) {
    for (const [at, source] of one.exclude.patterns.entries()) {
      const fault = faultOf(source);
      if (fault === undefined) continue;
      const path = [place, 'exclude', 'patterns', at];
      context.addIssue({ code: 'custom', path, message: fault.message, params: { fix: fault.fix } });
    }
  }
}

function checkTargets(rules: readonly z.infer<typeof wantedRule>[], context: Context): void {
  const places = new Map<string, number>();
  for (const [place, one] of rules.entries()) {
    const target = targetOf(wantedOf(one));
    const before = places.get(target);
    if (before === undefined) {
      places.set(target, place);
      continue;
    }
    context.addIssue({
      code: 'custom',
      path: [place],
      message: `Rule ${before} is about the same ${one.project_id === null ? 'workspace' : 'project'}.`,
      params: { fix: 'Make one rule of the two.' },
    });
  }
}

const wantedRules = z
  .array(wantedRule)
  .max(MOST_RULES)
  .superRefine((rules, context) => {
    checkPatterns(rules, context);
    checkTargets(rules, context);
  })
  .meta({ description: 'no rule: nothing is imported by itself' });

export const autoImportBody = z
  .strictObject({
    version: z
      .int()
      .min(0)
      .max(2 ** 31 - 2)
      .meta({ description: 'of the rules that were read; 0 where none were saved' }),
    rules: wantedRules,
  })
  .openapi('ChangeAutoImport');

export const previewBody = z.strictObject({ rules: wantedRules }).openapi('PreviewAutoImport');

const rule = z
  .strictObject({
    workspace_id: id.nullable(),
    project_id: id.nullable(),
    takes,
    since: timestamp.nullable().meta({
      description: 'of `new`: what the integration saw first before then is not taken; null: of the others',
    }),
    exclude: z.strictObject({
      names: z.array(z.string()),
      patterns: z.array(z.string()),
      not_updated_for_days: z.int().nullable(),
      forks: z.boolean(),
    }),
  })
  .openapi('AutoImportRule');

export const autoImportSchema = z
  .strictObject({
    version: z.int().meta({ description: 'give it with the next change; 0: none were ever saved' }),
    rules: z.array(rule),
    updated_at: timestamp.nullable(),
    updated_by: createdBy.nullable().meta({ description: 'null: none were ever saved' }),
  })
  .openapi('AutoImport');

export const previewQuery = z.strictObject({
  limit: limitQuery,
  cursor: cursorQuery,
  taken: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .meta({ description: 'only those that would, or would not, be imported; the counts are of all' }),
});

export const previewCursor = createCursor('auto-import preview', z.strictObject({ key: cursorText, id }));

const count = z.int().min(0);
const REASON = z.enum(AUTO_IMPORT_REASONS);

export const previewSchema = z
  .strictObject({
    counts: z.strictObject({
      repositories: count,
      taken: count,
      reasons: z.record(REASON, count).meta({ description: 'how many each is the reason for' }),
    }),
    data: z.array(
      z.strictObject({
        repository_id: id,
        full_name: z.string(),
        taken: z.boolean().meta({ description: 'it would be imported as soon as the rules are saved' }),
        reason: REASON,
        message: z.string(),
        rule: z.int().nullable().meta({ description: 'place of the rule that decided, from 0; null: none' }),
        first_seen_at: timestamp,
        updated_on: timestamp.nullable(),
      }),
    ),
    next_cursor: z.string().nullable().meta({ description: 'null: this was the last page' }),
  })
  .openapi('AutoImportPreview');

/** As the rules know it. Ids as Postgres writes them. */
export function wantedOf(body: z.infer<typeof wantedRule>): WantedRule {
  const { workspace_id: workspaceId, project_id: projectId, exclude: left } = body;
  return {
    workspaceId: workspaceId?.toLowerCase() ?? null,
    projectId: projectId?.toLowerCase() ?? null,
    takes: body.takes,
    exclude: {
      names: left.names,
      patterns: left.patterns,
      notUpdatedForDays: left.not_updated_for_days,
      forks: left.forks,
    },
  };
}

const presentRule = ({ workspaceId, projectId, takes: what, since, exclude: left }: AutoImportRule) => ({
  workspace_id: workspaceId,
  project_id: projectId,
  takes: what,
  since,
  exclude: {
    names: left.names,
    patterns: left.patterns,
    not_updated_for_days: left.notUpdatedForDays,
    forks: left.forks,
  },
});

export const presentAutoImport = (saved: SavedRules): z.infer<typeof autoImportSchema> => ({
  version: saved.version,
  rules: saved.rules.map(presentRule),
  updated_at: instantOrNull(saved.updatedAt),
  updated_by:
    saved.version === 0 ? null : { api_key_id: saved.updatedByKey, acting_user: saved.updatedByUser },
});

export const presentSight = (sight: Sight, { reason, message, rule: place }: Decision) => ({
  repository_id: sight.id,
  full_name: unescapeText(sight.key),
  taken: reason === 'matches',
  reason,
  message,
  rule: place,
  first_seen_at: sight.firstSeenAt,
  updated_on: sight.updatedOn,
});
