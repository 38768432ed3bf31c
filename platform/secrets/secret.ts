import { inspect } from 'node:util';

const HIDDEN = '[secret]';

/**
 * A value that must not be shown: it stays hidden in templates, JSON, `util.inspect`, logs and structured clones.
 * Only `reveal()` gives it, at the place where it is used.
 *
 * @example
 * const token = new Secret('abc');
 * `${token}`; // '[secret]'
 * token.reveal(); // 'abc'
 */
export class Secret<T = string> {
  // A private field is no property: neither Object.keys, spread nor structuredClone sees it.
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}
