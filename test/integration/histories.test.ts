import { readdir, readFile } from 'node:fs/promises';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { describe, expect, test } from 'vitest';
import { HISTORIES, replay } from '../support/workflows.ts';

/**
 * Runs of earlier versions must still go on after a deployment: recorded histories replay against the workflows as they
 * are now. Record them again (`RECORD_HISTORIES=1 npx vitest run --project integration test/integration/*Workflow.test.ts`)
 * only when no run of an older version is alive anywhere; otherwise branch with `patched`.
 */
describe('recorded histories', async () => {
  const names = (await readdir(HISTORIES)).filter((name) => name.endsWith('.json'));

  test('are there', () => {
    expect(names.length).toBeGreaterThanOrEqual(8);
  });

  test.each(names)('%s replays', async (name) => {
    const history = historyFromJSON(JSON.parse(await readFile(new URL(name, HISTORIES), 'utf8')));
    await expect(replay([{ workflowId: name, history }])).resolves.toBeUndefined();
  });

  test('a history that took another way is found', async () => {
    const text = await readFile(new URL('happy-check.json', HISTORIES), 'utf8');
    const other = historyFromJSON(JSON.parse(text.replaceAll('"checkConnection"', '"somethingElse"')));
    await expect(replay([{ workflowId: 'other', history: other }])).rejects.toThrow('does not replay');
  });
});
