import { afterEach, describe, expect, it } from 'vitest';
import { inActivity } from '../../support/bitbucketEngine.ts';
import { useEngineBench } from '../../support/engineBench.ts';
import { presentedCredential } from '../../support/presentedCredential.ts';

/** The one question by which an integration decides whether Bitbucket really refuses its credential. */
const bench = useEngineBench();

afterEach(async () => {
  bench.simulator.faults.clear();
  await bench.rows.sql`delete from request_limits`;
});

interface Integration {
  organizationId: string;
  integrationId: string;
}

/** What the probe says, with how often it asked the host. */
async function probe({ organizationId, integrationId }: Integration) {
  const before = bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;
  const answer = await inActivity(() =>
    bench.engine.connection.probeCredential({ organizationId, integrationId }),
  );
  return { ...answer, asked: bench.simulator.journal.since(before).length };
}

const failAtHost = (fault: object) => bench.simulator.faults.set({ rules: [{ fault }] });

describe('a probe', () => {
  it.each(['api_token.service', 'access_token.workspace'])('by a working %s: accepted', async (name) => {
    expect(await probe(await bench.connect(name))).toEqual({ accepted: true, asked: 1 });
  });

  it.each(['api_token.member', 'access_token.project'])(
    'by an %s that was revoked: refused; given back it is accepted again',
    async (name) => {
      const integration = await bench.connect(name);
      await bench.simulator.mutate({ kind: 'credential.revoke', name });
      expect(await probe(integration)).toEqual({ accepted: false, asked: 1 });
      await bench.simulator.mutate({ kind: 'credential.restore', name });
      expect(await probe(integration)).toEqual({ accepted: true, asked: 1 });
    },
  );

  it('by a credential past its given end: refused, and nothing is sent', async () => {
    const { kind, secret } = presentedCredential(bench.simulator, 'api_token.service');
    const expired = await bench.rows.integration(kind, secret, { expiresOn: '2026-01-01T00:00:00Z' });
    expect(await probe(expired)).toEqual({ accepted: false, asked: 0 });
  });

  it('by a credential without the scope for what is asked: accepted, Bitbucket knows it', async () => {
    expect(await probe(await bench.connect('api_token.no_user'))).toEqual({ accepted: true, asked: 1 });
  });

  it('by an account without the permission: accepted, Bitbucket knows it', async () => {
    const integration = await bench.connect('api_token.service');
    failAtHost({ kind: 'status', status: 403 });
    expect(await probe(integration)).toEqual({ accepted: true, asked: 1 });
  });

  it.each([
    ['a host that fails', { kind: 'status', status: 500 }, 'Upstream'],
    ['a gateway', { kind: 'status', status: 503 }, 'Upstream'],
    ['a limit', { kind: 'rate_limit', retry_after: 'seconds', seconds: 600 }, 'RateLimited'],
    ['a connection that breaks off', { kind: 'reset' }, 'Unreachable'],
  ])('met by %s throws: that says nothing of the credential', async (_, fault, type) => {
    const integration = await bench.connect('api_token.service');
    failAtHost(fault);
    await expect(probe(integration)).rejects.toMatchObject({ type });
  });
});
