import { describe } from 'vitest';
import { testConnecting } from './lifecycle/connecting.ts';
import { testControl } from './lifecycle/control.ts';
import { testDraft } from './lifecycle/draft.ts';
import { testImporting } from './lifecycle/importing.ts';
import { testOutcome } from './lifecycle/outcome.ts';
import { testQuarantine } from './lifecycle/quarantine.ts';
import { testReading } from './lifecycle/reading.ts';
import { testWebhooks } from './lifecycle/webhooks.ts';
import type { Line } from './lifecycle/line.ts';

/** One integration from its first credential to the reading of its rows: each test stands on those before it. */
export const describeLifecycle = (): void => {
  describe('the line from a credential to rows', () => {
    const line: Line = { integrationId: '', importId: '' };
    testConnecting(line);
    testImporting(line);
    testWebhooks(line);
    testOutcome(line);
    testQuarantine(line);
    testControl(line);
    testReading(line);
    testDraft();
  });
};
