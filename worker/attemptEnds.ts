import { activityInfo } from '@temporalio/activity';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { withinAttempt } from '../platform/attempt.ts';

/** Around every activity: behind its start-to-close timeout its transactions are refused. */
export const createAttemptEnds = (): ActivityInboundCallsInterceptor => ({
  execute: (input, next) => withinAttempt(activityInfo().startToCloseTimeoutMs, () => next(input)),
});
