import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listTargets, readMissing, readUpkeepRow } from '../../../db/queries/api/webhookCoverage.ts';
import { webhookSecret } from '../../../platform/secrets/webhookSecret.ts';
import { WEBHOOK_KEY } from '../../support/bitbucketEngine.ts';
import { presentTarget } from '../../../api/schemas/webhooks.ts';
import { createWebhookBench, type WebhookSituation, WORKSPACES } from '../../support/webhookSituation.ts';

let bench: Awaited<ReturnType<typeof createWebhookBench>>;
beforeAll(async () => {
  bench = await createWebhookBench();
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const ACME = '/workspaces/acme-rockets';
const TELEMETRY = 'acme-rockets/telemetry';

/** Polls have found changes that its hooks did not tell of. */
const flag = (acme: WebhookSituation) =>
  bench.sql`update webhooks set missing_since = now(), missing_changes = 3, missing_changed_at = now()
    where integration_id = ${acme.integrationId} and state = 'active'`;

/** What the API tells of a workspace or repository, and of all. */
const told = ({ organizationId, integrationId }: WebhookSituation, name: string) =>
  bench.engine.database.transaction(organizationId, async (tx) => {
    const targets = await listTargets(tx, { integrationId, mode: undefined, after: null, limit: 100 });
    const target = targets.find((row) => row.name === name);
    const { mode, reason, missing_deliveries } = presentTarget(
      await readUpkeepRow(tx, integrationId),
      target!,
    );
    return {
      mode,
      reason: reason?.code,
      missing: missing_deliveries,
      all: await readMissing(tx, integrationId),
    };
  });

/** What the host signs a hook's deliveries with. */
async function secretAt(uuid: string | undefined): Promise<string | null | undefined> {
  const answer = await fetch(`${bench.simulator.url}/_simulator/hooks`);
  const { hooks } = (await answer.json()) as { hooks: { uuid: string; secret: string | null }[] };
  return hooks.find((hook) => hook.uuid === uuid)?.secret;
}

describe('deliveries that are missing', () => {
  it('are told of hooks that work: not of one that the account may not see to, nor when it may again', async () => {
    const acme = await bench.registered('api_token.repository_admin');
    const grant = { kind: 'user.right', user: 'rob-repoadmin', repository: TELEMETRY };
    await flag(acme);
    expect(await told(acme, TELEMETRY)).toMatchObject({ missing: { changes: 3 }, all: { webhooks: 1 } });
    await bench.simulator.mutate({ ...grant, right: 'read' });
    await acme.round();
    await bench.simulator.mutate({ ...grant, right: 'admin' });
    const lost = { mode: 'polling', reason: 'admin_lost', missing: null, all: undefined };
    expect(await told(acme, TELEMETRY)).toEqual(lost);
    await acme.round();
    expect(await told(acme, TELEMETRY)).toEqual({ mode: 'webhook', missing: null, all: undefined });
  });

  it('have the hook sent its settings and secret again, once, when webhooks are registered again', async () => {
    const acme = await bench.registered();
    const [hook] = await acme.hooksAt(ACME);
    const at = `${ACME}/hooks/${encodeURIComponent(hook?.uuid ?? '')}`;
    await acme.asOwner('PUT', at, { secret: 'of-somebody-else' });
    await flag(acme);
    await acme.round();
    const since = bench.mark();
    await acme.command(true);
    await acme.round();
    await acme.round();
    expect(bench.writes(since)).toContain(`PUT /2.0${decodeURIComponent(at)}`);
    expect(bench.writes(since)).toHaveLength(WORKSPACES.length);
    expect(await secretAt(hook?.uuid)).toBe(webhookSecret(WEBHOOK_KEY, { ...acme, generation: 1 }));
    expect(await told(acme, 'acme-rockets')).toEqual({ mode: 'webhook', missing: null, all: undefined });
  });

  it.each([
    ['api_token.repository_admin', TELEMETRY],
    ['access_token.repository', 'acme-rockets/flight-control'],
  ])(
    'are not told of a repository that is not there any more, until it is seen again (%s)',
    async (credential, name) => {
      const acme = await bench.registered(credential);
      const found = (presence: string) => bench.sql`update integration_repositories set presence = ${presence}
      where integration_id = ${acme.integrationId} and repository_id = ${acme.repositoryId(name)}`;
      await flag(acme);
      await found('gone');
      await acme.round();
      const gone = { mode: 'polling', reason: 'repository_gone', missing: null, all: undefined };
      expect(await told(acme, name)).toEqual(gone);
      await acme.round();
      expect((await acme.audit()).filter(({ action }) => action === 'webhook_lost')).toMatchObject([
        { details: { name, code: 'repository_gone' } },
      ]);
      await found('present');
      await acme.round();
      expect(await told(acme, name)).toMatchObject({ mode: 'webhook', missing: { changes: 3 } });
    },
  );
});
