import { runLoadProcess } from '../loadProcess.ts';
import { type LoadInput, type LoadResult, loadResult } from './input.ts';

/** Sends deliveries from a process of its own; answers what came back. */
export const runLoad = async (input: LoadInput): Promise<LoadResult> =>
  loadResult.parse(await runLoadProcess('webhookLoad', input));
