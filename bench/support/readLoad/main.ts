/** The process that asks: started by `run.ts` with its input as JSON, answers with what came back as JSON. */
import { readAll } from './readAll.ts';
import { readInput } from './input.ts';

const input = readInput.parse(JSON.parse(process.argv[2] ?? ''));
process.stdout.write(JSON.stringify(await readAll(input, process.env['READ_KEY'] ?? '')));
