import { parseArgs } from 'node:util';

export const SIZES = ['small', 'medium', 'large'] as const;
export type Size = (typeof SIZES)[number];

export interface StartOptions {
  readonly exitWhenDone: boolean;
  readonly summaryFile: string | undefined;
  readonly reset: boolean;
  readonly size: Size;
  /** local git repositories to import beside the generated data */
  readonly repositories: readonly string[];
  /** where data, keys and logs are kept; undefined: in the checkout */
  readonly data: string | undefined;
  /** no simulator and no demo: the real Bitbucket Cloud */
  readonly bitbucket: boolean;
}

/** Which of the two commands: `npm start`, or `npm run dev`, which has no demo and so none of its options. */
export type Command = 'start' | 'dev';

const START = `npm start -- [options]

Starts Postgres, Temporal with its UI, a simulated Bitbucket Cloud, the worker and the api on this
machine, then runs the demo: connect, check, create, discover, import. Stays up until Ctrl-C.

  --exit-when-done     stop everything when the demo is over; the exit code tells how it went
  --summary FILE       write what was imported as JSON: per repository and stream expected, stored, requests, seconds`;

const DEV = `npm run dev -- [options]

Starts what npm start starts, without the demo. Worker and api are started again when their code changes.
Stays up until Ctrl-C.
`;

const SHARED = `  --size SIZE          small (default), medium or large: how much data the simulator generates
  --repository PATH    serve this local git repository too (repeatable; later starts remember it)
  --bitbucket          no simulator: connect to the real Bitbucket Cloud
  --data FOLDER        where data, keys and logs are kept (default .bucket-brigade of the checkout)
  --reset              first forget what earlier starts of this size, or of --bitbucket, have kept
  --help               this text

Data, keys and logs are kept, apart for each size and for --bitbucket, so a restart goes on where it was.`;

export const helpOf = (command: Command): string => [command === 'start' ? START : DEV, SHARED].join('\n');

/** Bad arguments: the message says which, and what is allowed. */
export class BadOptions extends Error {
  override readonly name = 'BadOptions';
}

/** Reads the command line; `'help'` when the help was asked for. Throws BadOptions. */
export function parseOptions(args: readonly string[], command: Command = 'start'): StartOptions | 'help' {
  const values = parse(args, command);
  if (values.help === true) return 'help';
  const size = SIZES.find((known) => known === (values.size ?? 'small'));
  if (size === undefined) {
    throw new BadOptions(`--size ${values.size} is not known: choose ${SIZES.join(', ')}.`);
  }
  const repositories = values.repository ?? [];
  if (values.bitbucket === true && repositories.length > 0) {
    throw new BadOptions(
      '--repository needs the simulator, and --bitbucket starts without it: leave one out.',
    );
  }
  return {
    exitWhenDone: values['exit-when-done'] === true,
    summaryFile: typeof values.summary === 'string' ? values.summary : undefined,
    reset: values.reset ?? false,
    size,
    repositories,
    data: values.data,
    bitbucket: values.bitbucket ?? false,
  };
}

const DEMO = { 'exit-when-done': { type: 'boolean' }, summary: { type: 'string' } } as const;

function parse(args: readonly string[], command: Command) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...(command === 'start' ? DEMO : {}),
        reset: { type: 'boolean' },
        size: { type: 'string' },
        data: { type: 'string' },
        repository: { type: 'string', multiple: true },
        bitbucket: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new BadOptions(error instanceof Error ? error.message : String(error));
  }
}
