import { readFileSync } from 'node:fs';
import type { z } from 'zod';

export type Environment = Readonly<Record<string, string | undefined>>;

/** One environment variable: how it is read, and what to do when it is missing or wrong. */
export interface Variable<T> {
  schema: z.ZodType<T>;
  /** shown when it is missing or wrong; says what to set it to */
  fix: string;
  /** may also be given as `NAME_FILE`, the path of a file that holds it; its value is never shown */
  secret?: boolean;
}

export type Variables = Record<string, Variable<unknown>>;
type Values<V extends Variables> = { [Name in keyof V]: z.output<V[Name]['schema']> };

/** Every wrong variable at once, each with the way to mend it. Never shows a secret's value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is not complete:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Reads all variables or throws a ConfigError that lists all that are wrong. An empty value counts as not set. */
export function readVariables<V extends Variables>(variables: V, environment: Environment): Values<V> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries(variables)) {
    try {
      values[name] = readVariable(name, variable, environment);
    } catch (error) {
      if (!(error instanceof WrongVariable)) throw error;
      problems.push(`${error.message} ${variable.fix}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every name was read by its own schema above
  return values as Values<V>;
}

class WrongVariable extends Error {}

function readVariable(name: string, variable: Variable<unknown>, environment: Environment): unknown {
  const text = variable.secret === true ? readSecret(name, environment) : environment[name];
  const given = text === undefined || text === '' ? undefined : text;
  const result = variable.schema.safeParse(given);
  if (result.success) return result.data;
  if (given === undefined) throw new WrongVariable(`${name} is not set.`);
  const shown = variable.secret === true ? 'its value cannot be read' : `${JSON.stringify(given)} is refused`;
  const why = result.error.issues[0]?.message ?? 'it is malformed';
  throw new WrongVariable(`${name}: ${shown} (${why}).`);
}

function readSecret(name: string, environment: Environment): string | undefined {
  const direct = environment[name];
  const path = environment[`${name}_FILE`];
  if (path === undefined || path === '') return direct;
  if (direct !== undefined && direct !== '') {
    throw new WrongVariable(`${name} and ${name}_FILE are both set; set one of them.`);
  }
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new WrongVariable(`${name}_FILE names ${path}, which cannot be read (${code}).`);
  }
}
