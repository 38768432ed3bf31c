import { runLoadProcess } from '../loadProcess.ts';
import { type ReadInput, type ReadResult, readResult } from './input.ts';

/** Asks from a process of its own; answers what came back. The key is not among the arguments, which every process can read. */
export const runReads = async (input: ReadInput, key: string): Promise<ReadResult> =>
  readResult.parse(await runLoadProcess('readLoad', input, { READ_KEY: key }));
