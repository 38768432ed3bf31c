import { describe, expect, test } from 'vitest';
import { call, createPatientApi, http, world } from '../../../support/apiWorld.ts';
import { freePort } from '../../../../scripts/servers/freePort.ts';
import type { Checked, Send } from '../../../support/contract.ts';
import { createLocalApi } from '../../../support/localApi.ts';
import { oauthCode } from '../../../support/oauthBrowser.ts';
import { RETURN_URL } from '../../../support/stack.ts';

export const describeOauth = (): void => {
  describe('OAuth', () => {
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const press = (
      completion: string,
      headers: Record<string, string> = { 'Sec-Fetch-Site': 'same-origin' },
      send: Send = http,
    ) =>
      world.contract.call(send, 'POST', '/v1/oauth/connect', {
        headers: { ...form, ...headers },
        body: new URLSearchParams({ completion }).toString(),
      });
    const callback = (query: Record<string, string>) =>
      call('GET', `/v1/oauth/callback?${new URLSearchParams(query).toString()}`, undefined, { key: null });
    const tokenCalls = () =>
      world.stack.simulator.journal.since(0).filter((entry) => entry.path.includes('access_token')).length;

    async function begin(body: object = {}): Promise<{ id: string; query: Record<string, string> }> {
      const { body: draft } = await call('POST', '/v1/integrations', {});
      const started = await call('POST', `/v1/integrations/${draft.id}/oauth`, body);
      expect(started.status).toBe(200);
      return { id: draft.id, query: Object.fromEntries(new URL(started.body.authorize_url).searchParams) };
    }

    /** A browser that logs in, approves and is sent back to the callback. */
    async function approved(query: Record<string, string>): Promise<Checked> {
      const { code } = await oauthCode(world.stack.simulator, 'service', query);
      return callback({ state: query['state']!, code });
    }

    test('through the registered return URL, completed by the backend', async () => {
      const { id, query } = await begin({ return_url: RETURN_URL });
      expect(query['code_challenge_method']).toBe('S256');
      expect(query['redirect_uri']).toBe(`${world.stack.apiUrl}/v1/oauth/callback`);
      const before = tokenCalls();
      const back = await approved(query);
      expect(back.status).toBe(303);
      expect(tokenCalls()).toBe(before);
      const target = new URL(back.headers.get('Location')!);
      expect(target.origin + target.pathname).toBe(RETURN_URL);
      expect([...target.searchParams.keys()].toSorted()).toEqual(['completion', 'integration_id']);
      const completion = target.searchParams.get('completion')!;

      // Not by somebody else, not for another integration: no token call.
      const { id: other } = await begin();
      const wrong = await call('POST', `/v1/integrations/${other}/oauth/complete`, { completion });
      expect([wrong.status, wrong.body.code]).toEqual([422, 'oauth_state_invalid']);
      const foreign = await call(
        'POST',
        `/v1/integrations/${id}/oauth/complete`,
        { completion },
        { key: world.keys.foreign },
      );
      expect(foreign.status).toBe(404);
      expect(tokenCalls()).toBe(before);

      const answers = await Promise.all(
        Array.from({ length: 50 }, () =>
          call('POST', `/v1/integrations/${id}/oauth/complete`, { completion }),
        ),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 422)).toHaveLength(49);
      expect(tokenCalls()).toBe(before + 1);
      expect(answers.find(({ status }) => status === 200)!.body.verdict).toMatch(/^ok/);
      expect((await call('GET', `/v1/integrations/${id}`)).body.state).toBe('connected');
      const taken = await call('POST', `/v1/integrations/${id}/create`, { name: 'ACME CORP' });
      expect([taken.status, taken.body.code]).toEqual([409, 'name_taken']);
    });

    test('a return URL that is not registered exactly is refused', async () => {
      const { body: draft } = await call('POST', '/v1/integrations', {});
      for (const url of [
        `${RETURN_URL}/`,
        `${RETURN_URL}?a=1`,
        'http://127.0.0.1:9/Connected',
        'https://evil.example',
        '//x',
        '',
      ]) {
        const { status } = await call('POST', `/v1/integrations/${draft.id}/oauth`, { return_url: url });
        expect(status, url).toBe(422);
      }
    });

    test('the authorize URL does not follow Host or X-Forwarded headers', async () => {
      const { body: draft } = await call('POST', '/v1/integrations', {});
      for (const headers of [
        { Host: 'evil.example' },
        { 'X-Forwarded-Host': 'evil.example' },
        { Forwarded: 'host=evil.example' },
      ]) {
        const { body } = await call('POST', `/v1/integrations/${draft.id}/oauth`, {}, { headers });
        expect(new URL(body.authorize_url).searchParams.get('redirect_uri')).toBe(
          `${world.stack.apiUrl}/v1/oauth/callback`,
        );
      }
    });

    test('50 callbacks at once: one is taken', async () => {
      const { query } = await begin({ return_url: RETURN_URL });
      const { code } = await oauthCode(world.stack.simulator, 'service', query);
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => callback({ state: query['state']!, code })),
      );
      expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 400)).toHaveLength(49);
    });

    test('missing, forged, replayed, expired states and other issuers: a page that says what to do, and no token call', async () => {
      const before = tokenCalls();
      const { query } = await begin({ return_url: RETURN_URL });
      const state = query['state']!;
      for (const wrong of [
        {},
        { code: 'x' },
        { state: 'forged', code: 'x' },
        { state, code: 'x', iss: 'https://evil.example' },
      ]) {
        const answer = await callback(wrong);
        expect(answer.status).toBe(400);
        expect(answer.body).toContain('Start again with Connect');
      }
      await world.admin`update oauth_flows set expires_at = now() - interval '1 second' where state = 'started'`;
      expect((await callback({ state, code: 'x' })).status).toBe(400);
      expect(tokenCalls()).toBe(before);
    });

    test('no at the consent page: back with an error, and the state is spent', async () => {
      const { query } = await begin({ return_url: RETURN_URL });
      const state = query['state']!;
      const denied = await callback({ state, error: 'access_denied' });
      expect(new URL(denied.headers.get('Location')!).searchParams.get('error')).toBe('oauth_denied');
      expect((await callback({ state, code: 'late' })).status).toBe(400);
    });

    test('without a return URL a page names who would receive the account, and waits for the click', async () => {
      const { id, query } = await begin();
      const back = await approved(query);
      const target = new URL(back.headers.get('Location')!);
      expect(target.origin + target.pathname).toBe(`${world.stack.apiUrl}/v1/oauth/connect`);
      const before = tokenCalls();
      const page = await call('GET', target.pathname + target.search, undefined, { key: null });
      expect(page.body).toMatch(/Connect Bitbucket to org [0-9a-f]+\?/);
      expect(page.headers.get('Content-Security-Policy')).toContain("default-src 'none'");
      expect(tokenCalls()).toBe(before);
      const completion = target.searchParams.get('completion')!;
      expect((await press(completion, { 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403);
      expect((await press(completion, {})).status).toBe(403);
      expect((await press(completion, { Origin: 'https://evil.example' })).status).toBe(403);
      const done = await press(completion);
      expect(done.status).toBe(200);
      expect(done.body).toContain('Connected to Bitbucket Cloud as');
      expect((await press(completion)).status).toBe(400);
      expect((await call('GET', target.pathname + target.search, undefined, { key: null })).status).toBe(400);
      expect((await call('GET', `/v1/integrations/${id}`)).body.credential.kind).toBe('oauth');
    });

    test('the click for a key that was revoked meanwhile connects nothing', async () => {
      const { id, query } = await begin();
      const completion = new URL((await approved(query)).headers.get('Location')!).searchParams.get(
        'completion',
      )!;
      const ended = await world.admin`update oauth_flows set started_by_key = (
          select id from api_keys k where k.organization_id = oauth_flows.organization_id and k.revoked_at is not null limit 1)
        where integration_id = ${id} returning started_by_key`;
      expect(ended[0]!['started_by_key']).not.toBeNull();
      expect((await press(completion)).status).toBe(400);
      expect((await call('GET', `/v1/integrations/${id}`)).body.credential).toBeNull();
    });

    test('the click when the integration cannot be connected any more, and forms that are none', async () => {
      const { id, query } = await begin();
      const completion = new URL((await approved(query)).headers.get('Location')!).searchParams.get(
        'completion',
      )!;
      await world.admin`update integrations set state = 'disconnecting' where id = ${id}`;
      expect((await press(completion)).status).toBe(409);
      const post = (body: string, type: string) =>
        world.contract.call(http, 'POST', '/v1/oauth/connect', {
          headers: { 'Content-Type': type, 'Sec-Fetch-Site': 'same-origin' },
          body,
        });
      expect((await post('{}', 'application/json')).status).toBe(415);
      expect((await post(`completion=${'x'.repeat(70_000)}`, form['Content-Type'])).status).toBe(413);
      expect((await post(`completion=${'x'.repeat(300)}`, form['Content-Type'])).status).toBe(400);
      expect((await post('', form['Content-Type'])).status).toBe(400);
    });

    test('a completion that Temporal could not be told of is as good as before, for a backend and for the click', async () => {
      const port = await freePort();
      const down = createLocalApi({
        databaseUrl: world.stack.database.apiUrl,
        temporalAddress: `127.0.0.1:${port}`,
      });
      const before = tokenCalls();
      for (const body of [{ return_url: RETURN_URL }, {}]) {
        const { id, query } = await begin(body);
        const back = new URL((await approved(query)).headers.get('Location')!);
        const completion = back.searchParams.get('completion')!;
        const complete = (send: Send) =>
          'return_url' in body
            ? call('POST', `/v1/integrations/${id}/oauth/complete`, { completion }, { send })
            : press(completion, undefined, send);
        for (let time = 1; time <= 2; time += 1) {
          const failed = await complete(down.send);
          expect(failed.status).toBe(503);
          if (!('return_url' in body)) expect(failed.body).toContain(`value="${completion}"`);
        }
        expect((await complete(http)).status).toBe(200);
        expect((await call('GET', `/v1/integrations/${id}`)).body.state).toBe('connected');
        const checks = await world.admin`select id from connection_checks where integration_id = ${id}`;
        expect(checks).toHaveLength(1);
        expect((await complete(http)).status).toBeGreaterThanOrEqual(400);
      }
      expect(tokenCalls()).toBe(before + 2);
      await down.close();
    });

    test('a completion whose answer was lost with its api is taken up by the next request, and exchanged once', async () => {
      const { id, query } = await begin({ return_url: RETURN_URL });
      const completion = new URL((await approved(query)).headers.get('Location')!).searchParams.get(
        'completion',
      )!;
      const complete = () => call('POST', `/v1/integrations/${id}/oauth/complete`, { completion });
      const before = tokenCalls();
      const hash = await world.admin`select completion_hash from oauth_flows where integration_id = ${id}`;
      const { body: first } = await complete();
      // As its api left it when it was killed before it answered.
      const left = (seconds: number) => world.admin`
        update oauth_flows set completion_hash = ${hash[0]!['completion_hash']},
          claimed_at = now() - make_interval(secs => ${seconds}) where integration_id = ${id}`;
      await left(25);
      expect((await complete()).status).toBe(422);
      await left(31);
      const again = await complete();
      expect([again.status, again.body.id]).toEqual([200, first.id]);
      expect(tokenCalls()).toBe(before + 1);
      const checks = await world.admin`select id from connection_checks where integration_id = ${id}`;
      expect(checks).toHaveLength(1);
    });

    test('a completion whose check takes longer is answered 202', async () => {
      const { id, query } = await begin({ return_url: RETURN_URL });
      const completion = new URL((await approved(query)).headers.get('Location')!).searchParams.get(
        'completion',
      )!;
      const patient = await createPatientApi(8_000);
      const later = await call(
        'POST',
        `/v1/integrations/${id}/oauth/complete`,
        { completion },
        { send: patient.send },
      );
      expect(later.status).toBe(202);
      await patient.close();
    });
  });
};
