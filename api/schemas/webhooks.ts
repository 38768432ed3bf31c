import { z } from '@hono/zod-openapi';
import type { countTargets, TargetRow, UpkeepRow } from '../../db/queries/api/webhookCoverage.ts';
import { unescapeText } from '../../db/text.ts';
import {
  WEBHOOK_SCOPES,
  WEBHOOK_STATES,
  WEBHOOK_UPKEEP_STATES,
  type Finding,
} from '../../workflows/words.ts';
import { cursorNumber, cursorText } from '../cursor.ts';
import { instantOrNull } from '../instant.ts';
import { presentFinding } from './finding.ts';
import { finding, id, pageQuery, timestamp } from './shared.ts';

const mode = z.enum(['webhook', 'polling']);

export const webhooksQuery = pageQuery.extend({
  mode: mode.optional().meta({ description: 'only those whose changes arrive this way' }),
});

export const targetCursor = z.strictObject({ kind: cursorNumber, key: cursorText, id });

export const registerBody = z
  .strictObject({
    rotate: z.boolean().optional().meta({
      description:
        'Give every webhook a new secret; default false. Deliveries that are signed with the one before are taken for an hour more.',
    }),
  })
  .openapi('RegisterWebhooks');

const counts = z.strictObject({ webhook: z.int(), polling: z.int() });

/** How the upkeep stands, whichever webhook. */
const upkeepFields = {
  wanted: z.boolean().meta({ description: 'whether webhooks are asked for' }),
  state: z.enum(['off', ...WEBHOOK_UPKEEP_STATES]).meta({
    description:
      '`off`: none are asked for and none are left. `done`: each was looked up, and is registered or says why not. `failed`: `error` says why; it is tried again.',
  }),
  error: finding.nullable(),
  waiting: z.strictObject({ until: timestamp, reason: z.string() }).nullable(),
  last_round_at: timestamp.nullable().meta({ description: 'when all had last been looked up at Bitbucket' }),
  next_round_at: timestamp.nullable(),
  workspaces: counts,
  repositories: counts.meta({ description: 'those that are imported' }),
};

export const upkeepSchema = z.strictObject(upkeepFields).openapi('WebhookUpkeep');

const missingSchema = z
  .strictObject({
    since: timestamp.meta({ description: 'when a poll found the first of them' }),
    changes: z.int().meta({ description: 'how many changes polls have found since then' }),
    last_change_at: timestamp.nullable().meta({ description: 'of the newest, by the clock of Bitbucket' }),
    finding,
  })
  .openapi('MissingDeliveries');

const targetSchema = z
  .strictObject({
    scope: z.enum(WEBHOOK_SCOPES),
    workspace: z.strictObject({ id, slug: z.string() }),
    repository: z.strictObject({ id, full_name: z.string() }).nullable(),
    mode: mode.meta({ description: 'how its changes arrive; polling finds them in any case' }),
    reason: finding.nullable().meta({ description: 'why by polling alone, and what to do about it' }),
    via: z.enum(WEBHOOK_SCOPES).nullable().meta({
      description: 'whose webhook the following is about: that of a workspace covers its repositories',
    }),
    state: z.enum(WEBHOOK_STATES).nullable(),
    events: z.array(z.string()),
    last_delivery_at: timestamp.nullable().meta({ description: 'to the minute' }),
    last_checked_at: timestamp.nullable().meta({ description: 'when it was last looked up at Bitbucket' }),
    missing_deliveries: missingSchema.nullable().meta({
      description:
        'polls find changes that this webhook should have told of, and nothing has come since; null: not that we know',
    }),
    secret_generation: z.int().nullable(),
    previous_secret_taken: z
      .boolean()
      .meta({ description: 'a rotation was a short while ago, or is under way' }),
  })
  .openapi('Webhook');

// From the fields: two closed schemas combined would take nothing.
export const webhooksSchema = z
  .strictObject({
    ...upkeepFields,
    data: z.array(targetSchema),
    next_cursor: z.string().nullable().meta({ description: 'null: this was the last page' }),
  })
  .openapi('Webhooks');

const NOT_ASKED: Finding = {
  code: 'webhooks_not_registered',
  message: 'No webhooks are asked for.',
  remedy:
    'Register them with PUT of this address, with an account that administers the workspace or the repositories.',
};
export const DELIVERIES_MISSING: Finding = {
  code: 'webhook_deliveries_missing',
  message:
    'Changes were found by polling that Bitbucket should have delivered to this webhook and did not: its deliveries do not arrive here, or not all of them.',
  remedy:
    'Look at the webhook\'s requests in Bitbucket, and check that the receiver is reachable from the internet: a firewall or proxy may block it, refuse large bodies or change them, or PUBLIC_WEBHOOK_URL is not the api\'s. Bitbucket sends no bodies of more than 256 KB: a single large push is no fault. If somebody changed the webhook in Bitbucket, its secret may be another: register webhooks again, which sends it its settings, or with {"rotate": true} to give it a new secret. Meanwhile polling brings the changes; this ends with the next delivery.',
};
const UNDER_WAY: Finding = {
  code: 'webhook_under_way',
  message: 'It has not been looked up at Bitbucket yet, or is just being registered.',
  remedy:
    'Nothing to do: read again in a while. Repositories that are imported later get theirs within the hour.',
};

/** Once the upkeep of webhooks that nobody wants is done, none are left. */
const stateOf = ({ wanted, state }: UpkeepRow) =>
  state === null || (wanted !== true && state === 'done') ? 'off' : state;

const NEVER: UpkeepRow = {
  wanted: null,
  state: null,
  error: null,
  waitingUntil: null,
  waitingReason: null,
  lastRoundAt: null,
  nextRoundAt: null,
};

export function presentUpkeep(
  row: UpkeepRow = NEVER,
  counted: Awaited<ReturnType<typeof countTargets>>,
): z.infer<typeof upkeepSchema> {
  const until = instantOrNull(row.waitingUntil);
  return {
    wanted: row.wanted ?? false,
    state: stateOf(row),
    error: presentFinding(row.error),
    waiting: until === null ? null : { until, reason: unescapeText(row.waitingReason ?? '') },
    last_round_at: instantOrNull(row.lastRoundAt),
    next_round_at: instantOrNull(row.nextRoundAt),
    ...counted,
  };
}

function reasonOf(upkeep: UpkeepRow, row: TargetRow): Finding | null {
  if (row.mode === 'webhook') return null;
  if (upkeep.wanted !== true) return NOT_ASKED;
  return row.error ?? upkeep.error ?? UNDER_WAY;
}

function presentMissing(row: TargetRow): z.infer<typeof missingSchema> | null {
  const since = instantOrNull(row.missingSince);
  // Of one that does not work, `reason` says why.
  if (since === null || row.state !== 'active') return null;
  const { missingChanges: changes, missingChangedAt } = row;
  return {
    since,
    changes: changes ?? 0,
    last_change_at: instantOrNull(missingChangedAt),
    finding: DELIVERIES_MISSING,
  };
}

export function presentTarget(upkeep: UpkeepRow = NEVER, row: TargetRow): z.infer<typeof targetSchema> {
  return {
    scope: row.fullName === null ? 'workspace' : 'repository',
    workspace: { id: row.workspaceId, slug: unescapeText(row.workspaceSlug) },
    repository: row.fullName === null ? null : { id: row.id, full_name: unescapeText(row.fullName) },
    mode: row.mode,
    reason: presentFinding(reasonOf(upkeep, row)),
    via: row.via,
    state: row.state,
    events: row.events ?? [],
    last_delivery_at: instantOrNull(row.lastDeliveryAt),
    last_checked_at: instantOrNull(row.lastCheckedAt),
    missing_deliveries: presentMissing(row),
    secret_generation: row.generation,
    previous_secret_taken: row.takesPrevious,
  };
}
