import { describe, expect, test } from 'vitest';
import { createLogger } from '../../../platform/log.ts';
import { Secret } from '../../../platform/secrets/secret.ts';

const CANARY = 'canary-4711';

function logged(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(
    createLogger({ service: 'api', level: 'debug', destination: { write: (line) => void lines.push(line) } }),
  );
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('log', () => {
  test('one object a line with the agreed field names', () => {
    const [line] = logged((log) => log.info({ request_id: 'r1' }, 'Hello'));
    expect(line).toMatchObject({ level: 'info', service: 'api', message: 'Hello', request_id: 'r1' });
    expect(line!['time']).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  test('secrets by name are censored, wrapped ones hide themselves', () => {
    const lines = logged((log) => {
      log.info({ token: CANARY, headers: { authorization: CANARY }, a: { b: { password: CANARY } } });
      log.info({ anything: new Secret(CANARY) });
    });
    expect(JSON.stringify(lines)).not.toContain(CANARY);
  });

  test('an error shows type, code, stack and causes, and nothing else that hangs on it', () => {
    const cause = Object.assign(new Error('refused'), { code: '23505', parameters: [CANARY] });
    const [line] = logged((log) => log.error({ error: new Error('outer', { cause }) }, 'Failed'));
    expect(JSON.stringify(line)).not.toContain(CANARY);
    expect(line!['error']).toMatchObject({ message: 'outer', cause: { message: 'refused', code: '23505' } });
  });

  test('a failed statement does not show its parameters', () => {
    const error = new Error(`Failed query: select $1\nparams: ${CANARY}`);
    const lines = logged((log) => {
      log.error({ error });
      log.error({ error }, 'Said');
      log.error(error);
      log.error(error, 'Said');
    });
    expect(lines).toHaveLength(4);
    expect(JSON.stringify(lines)).not.toContain(CANARY);
  });
});
