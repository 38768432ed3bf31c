import { randomBytes } from 'node:crypto';
import type { Person } from '../model/people.ts';

const COOKIE = 'cloud.session.token';

interface Session {
  person: Person;
  /** Must come back with the consent form. */
  formToken: string;
}

/** Browser sessions of the web host. */
export interface Sessions {
  /** Undefined when nobody is logged in. */
  of(cookieHeader: string | undefined): Session | undefined;
  /** Logs in and returns the `Set-Cookie` value. */
  begin(person: Person): string;
  /** Waits for the second step of a log-in; returns the word that names it. */
  awaitCode(person: Person): string;
  /** Whose second step it is; it can be asked once. */
  takeAwaited(word: string): Person | undefined;
  end(cookieHeader: string | undefined): void;
}

function cookieOf(header: string | undefined): string {
  for (const part of (header ?? '').split(';')) {
    const [name, value = ''] = part.trim().split('=');
    if (name === COOKIE) return value;
  }
  return '';
}

export function createSessions(): Sessions {
  const sessions = new Map<string, Session>();
  const awaited = new Map<string, Person>();
  const word = (): string => randomBytes(18).toString('base64url');
  return {
    of: (header) => sessions.get(cookieOf(header)),
    begin(person) {
      const id = word();
      sessions.set(id, { person, formToken: word() });
      return `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Lax`;
    },
    awaitCode(person) {
      const id = word();
      awaited.set(id, person);
      return id;
    },
    takeAwaited(id) {
      const person = awaited.get(id);
      awaited.delete(id);
      return person;
    },
    end(header) {
      sessions.delete(cookieOf(header));
    },
  };
}
