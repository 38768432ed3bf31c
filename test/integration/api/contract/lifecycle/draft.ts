import { expect, test } from 'vitest';
import { call } from '../../../../support/apiWorld.ts';

export function testDraft(): void {
  test('a draft is deleted at once and stays gone', async () => {
    const { body: draft } = await call('POST', '/v1/integrations', {});
    expect((await call('DELETE', `/v1/integrations/${draft.id}`)).status).toBe(204);
    expect((await call('GET', `/v1/integrations/${draft.id}`)).status).toBe(404);
    expect((await call('DELETE', `/v1/integrations/${draft.id}`)).status).toBe(404);
    expect((await call('GET', '/v1/integrations?limit=2')).body.data).toHaveLength(2);
    expect((await call('GET', '/v1/providers')).body.data[0].credential_kinds[0].kind).toBe('oauth');
  });
}
