import { type Client, WorkflowNotFoundError } from '@temporalio/client';

/** Asks Temporal whether a workflow of this id runs now; an id that never ran does not. */
export const createRunLookup =
  (client: Client) =>
  async (workflowId: string): Promise<boolean> => {
    try {
      const { status } = await client.workflow.getHandle(workflowId).describe();
      return status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  };
