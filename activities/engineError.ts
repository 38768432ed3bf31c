import type { Finding } from '../workflows/words.ts';

/** Something that the engine itself refuses for good: trying again changes nothing. `type` is what workflows switch on. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly type: string;
  readonly retry = { kind: 'never' } as const;
  readonly finding: Finding;

  constructor(type: string, finding: Finding) {
    super(finding.message);
    this.type = type;
    this.finding = finding;
  }
}
