import { Problem } from './problem.ts';

/**
 * Whoever removes data names it. Throws Problems that say what to send: 422 without a confirmation, 409 for a wrong one.
 */
export function requireConfirm(confirm: string | undefined, name: string, what: string): asserts confirm {
  const fix = `Send ?confirm=${encodeURIComponent(name)} to remove it with all of its data.`;
  if (confirm === undefined) {
    throw new Problem({
      status: 422,
      code: 'confirm_missing',
      detail: `Removing this ${what} must be confirmed.`,
      fix,
      errors: [{ location: 'query.confirm', message: 'The confirmation is missing.', fix }],
    });
  }
  if (confirm !== name) {
    throw new Problem({
      status: 409,
      code: 'confirm_mismatch',
      detail: `What was sent as confirmation is not the name of the ${what}.`,
      fix,
    });
  }
}
