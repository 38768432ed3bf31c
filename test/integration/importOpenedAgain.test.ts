import { expect, test } from 'vitest';
import * as messages from '../../workflows/messages.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import { tellImport, untilImport, untilRepository } from '../support/importBench.ts';
import { actor, command, integrationGoesOn, refusalOf, useWorkflowBench } from '../support/workflowBench.ts';

const bench = useWorkflowBench();

test('an import that goes on behind a stored end takes commands, also where one was refused for that end', async () => {
  const tenant = await bench.tenant('active');
  const [id] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  await bench.run(async (run) => {
    run.bitbucket.git.set(id!, [failureOf('RepositoryGone'), 'hang', { done: true }]);
    // Its end is stored; the run hears nothing of it, and stores it once more.
    let lose = (): void => {};
    const lost = new Promise<never>((_, reject) => (lose = () => reject(new Error('The answer is lost.'))));
    bench.meanwhile('finishImport', { behind: () => lost });
    await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
    await untilImport(tenant, importId, 'completed_with_failures', 20_000);
    expect(await refusalOf(tellImport(run, importId, messages.pauseImport))).toBe('import_ended');
    await command(run, tenant, messages.retryFailed, { importId, repositoryIds: null, actor });
    lose();
    await untilRepository(tenant, importId, id!, 'running', 20_000);
    await tellImport(run, importId, messages.pauseImport);
    await untilRepository(tenant, importId, id!, 'paused');
    await tellImport(run, importId, messages.resumeImport);
    await untilImport(tenant, importId, 'completed', 20_000);
  }, integrationGoesOn(tenant));
});
