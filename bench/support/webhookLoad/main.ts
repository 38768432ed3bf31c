/** The process that sends: started by `run.ts` with its input as JSON, answers with what came back as JSON. */
import { sendAll } from './sendAll.ts';
import { loadInput } from './input.ts';

const input = loadInput.parse(JSON.parse(process.argv[2] ?? ''));
process.stdout.write(JSON.stringify(await sendAll(input)));
