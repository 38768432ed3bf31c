import { getExternalWorkflowHandle, isCancellation, log } from '@temporalio/workflow';

/** A signal to a run that has ended, or never was, is no harm: rows hold the truth. */
export async function tell(
  workflowId: string,
  send: (handle: ReturnType<typeof getExternalWorkflowHandle>) => Promise<void>,
): Promise<void> {
  try {
    await send(getExternalWorkflowHandle(workflowId));
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.debug('A run could not be told', { workflowId, error });
  }
}
