import { activityInfo } from '@temporalio/activity';

/** The workflow that this activity works for; null: none does. */
export const workflowId = (): string | null => activityInfo().workflowExecution?.workflowId ?? null;
