import type { Refusal } from '../workflows/refused.ts';
import { Problem } from './problem.ts';

/**
 * Refuses what the row's state forbids already, before anything is stored for it. The workflow judges again by the
 * same rules: it alone knows the present state.
 */
export function refuse(refusal: Refusal | null): void {
  if (refusal === null) return;
  throw new Problem({ status: 409, code: refusal.code, detail: refusal.message, fix: refusal.fix });
}
