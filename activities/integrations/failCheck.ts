import type { Transaction } from '../../db/client.ts';
import { finishCheck } from '../../db/queries/connectionChecks.ts';
import type { Finding } from '../../workflows/words.ts';

/** Ends a check that found nothing out, with why; one that has ended stays as it is. False: it had. */
export const failCheck = (
  tx: Transaction,
  { checkId, finding }: { checkId: string; finding: Finding },
): Promise<boolean> =>
  finishCheck(tx, {
    checkId,
    verdict: 'failed',
    report: {
      verdict: 'failed',
      account: null,
      services: [],
      allowed_services: [],
      findings: [{ ...finding, severity: 'error' }],
    },
  });
