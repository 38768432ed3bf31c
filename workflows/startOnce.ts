import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { ChildWorkflowHandle, Workflow } from '@temporalio/workflow';

/**
 * For children that outlive their starter (ABANDON: its continue-as-new would end others). One that is there already is the
 * same thing asked for twice: `null`.
 */
export async function startOnce<T extends Workflow>(
  start: () => Promise<ChildWorkflowHandle<T>>,
): Promise<ChildWorkflowHandle<T> | null> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return null;
    throw error;
  }
}
