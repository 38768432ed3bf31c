/** What is to be started. The process leads a group of its own. */
export interface Command {
  file: string;
  args: readonly string[];
  /** the working directory */
  cwd: string;
  /** the whole environment: nothing of this process's own is added */
  env: Readonly<Record<string, string>>;
}

/** A command on its way to the fork server. */
export interface Order extends Command {
  id: number;
}

export interface Ending {
  /** null: a signal ended it */
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** What the fork server says of an order. */
export type News = { id: number } & ({ pid: number } | Failure | Ending);

interface Failure {
  failed: {
    /** Node's, `ENOENT` for example */
    code: string | null;
    message: string;
  };
  /** the fork server cannot reach us any more, so no other order would fare better */
  isCutOff: boolean;
}

/** A process could not be started, or nobody knows how it ended. */
export class LaunchFailed extends Error {
  override readonly name = 'LaunchFailed';
  /** Node's, `ENOENT` for example; null where there is none */
  readonly code: string | null;

  constructor({ code, message }: { code: string | null; message: string }) {
    super(message);
    this.code = code;
  }
}
