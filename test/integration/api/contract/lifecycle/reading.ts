import { expect, test } from 'vitest';
import { ApiProblem, createApiClient } from '../../../../../api/client.ts';
import { call, world } from '../../../../support/apiWorld.ts';
import type { Line } from './line.ts';
import { pagesOf } from './pagesOf.ts';

export function testReading(line: Line): void {
  test('the data: repositories, commits with files, pull requests with participants and comments, tickets', async () => {
    const { data } = (
      await call('GET', `/v1/integrations/${line.integrationId}/repositories?imported=true&limit=200`)
    ).body;
    const seen = { commits: 0, files: 0, pullRequests: 0, comments: 0, activity: 0, tickets: 0 };
    for (const repository of data) {
      const at = `/v1/repositories/${repository.id}`;
      expect((await call('GET', at)).body.imported).toBe(true);
      const commits = (await call('GET', `${at}/commits?include=files&limit=20`)).body.data;
      seen.commits += commits.length;
      seen.files += commits.flatMap((commit: { files: unknown[] }) => commit.files).length;
      const pullRequests = (await call('GET', `${at}/pull-requests?limit=10`)).body.data;
      seen.pullRequests += pullRequests.length;
      for (const { number } of pullRequests) {
        seen.activity += (await call('GET', `${at}/pull-requests/${number}`)).body.activity.length;
        seen.comments += (await call('GET', `${at}/pull-requests/${number}/comments`)).body.data.length;
      }
      seen.tickets += (await call('GET', `${at}/tickets`)).body.data.length;
    }
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(0);
    const paged = await pagesOf(`/v1/repositories/${data[0].id}/commits`, 7);
    expect(paged).toEqual((await call('GET', `/v1/repositories/${data[0].id}/commits?limit=200`)).body.data);
  });

  test('the typed client reads the same, and throws problems', async () => {
    const api = createApiClient({ baseUrl: world.stack.apiUrl, key: world.keys.admin, fetch });
    expect((await api.integration(line.integrationId)).name).toBe('Acme Corp');
    const { data } = await api.repositories(line.integrationId, { imported: true, limit: 1 });
    expect(data).toHaveLength(1);
    expect((await api.import(line.importId)).state).toBe('completed');
    await expect(api.pauseImport(line.importId)).rejects.toMatchObject({ code: 'import_ended' });
    await expect(api.resumeImport(line.importId)).rejects.toMatchObject({ code: 'import_ended' });
    await expect(api.cancelImport(line.importId)).rejects.toMatchObject({ code: 'import_ended' });
    await expect(api.retryFailed(line.importId)).rejects.toMatchObject({ code: 'nothing_failed' });
    const { id: estimateId } = await api.estimateImport(line.integrationId, { repositories: [data[0]!.id] });
    expect((await api.importEstimate(estimateId)).repositories.total).toBeOneOf([null, 1]);
    expect((await api.importCompleteness(line.importId)).adds_up).toBe(true);
    expect((await api.repositoryCompleteness(data[0]!.id)).import_id).toBe(line.importId);
    await expect(api.activate(line.integrationId, { name: 'Another' })).rejects.toMatchObject({
      code: 'already_created',
    });
    await expect(api.pullRequest(data[0]!.id, 999_999)).rejects.toThrow(ApiProblem);
  });
}
