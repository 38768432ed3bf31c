/** git ended with an error. `lastWords` is the end of its standard error; it never holds a credential. */
export class GitFailed extends Error {
  override readonly name = 'GitFailed';
  /** null: it could not be started, or was killed from outside */
  readonly exitCode: number | null;
  readonly lastWords: string;

  constructor(args: readonly string[], exitCode: number | null, lastWords: string) {
    super(`git ${args[0] ?? ''} ended with ${exitCode ?? 'no exit code'}: ${lastWords}`);
    this.exitCode = exitCode;
    this.lastWords = lastWords;
  }
}
