import type { Finding } from '../workflows/words.ts';

/** Whether trying again may help; `limited`: so many attempts in a row. */
type Retry = { kind: 'never' | 'always' } | { kind: 'limited'; attempts: number };

/**
 * Something that the engine itself refuses, or meets on its own machine; unless it says otherwise for good: trying again
 * changes nothing. `type` is what workflows switch on.
 */
export class EngineError extends Error {
  override readonly name: string = 'EngineError';
  readonly type: string;
  readonly retry: Retry;
  readonly finding: Finding;

  constructor(
    type: string,
    finding: Finding,
    { retry = { kind: 'never' }, cause }: { retry?: Retry; cause?: unknown } = {},
  ) {
    super(finding.message, { cause });
    this.type = type;
    this.retry = retry;
    this.finding = finding;
  }
}
