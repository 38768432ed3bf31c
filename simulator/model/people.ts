import { bracedUuid, createRandom, mix, type Random, secretText, textSeed } from './random.ts';
import { type Micros, parseMicros } from './time.ts';

/**
 * An account. `user` is a living person, `app_user` a bot or the pseudo-user of an access token (no
 * nickname), `former` a deleted person: an object without `account_id` (facts 4.4).
 */
export interface Person {
  uuid: string;
  type: 'user' | 'app_user' | 'former';
  /** `kind` of an app_user. */
  appKind?: string;
  accountId: string;
  username: string;
  nickname: string;
  displayName: string;
  email: string;
  createdOn: Micros;
  twoFactor: boolean;
}

/** The people of the demo that own credentials; their names say what they show. */
export interface Cast {
  /** Owner of every workspace, no two-step verification. */
  admin: Person;
  /** Member with two-step verification. */
  member: Person;
  /** Member and administrator of one repository only. */
  repositoryAdmin: Person;
  /** Belongs to no workspace. */
  outsider: Person;
  /** The service account the connect guide advises: member, sees everything. */
  service: Person;
}

const GIVEN =
  'Ada,Björn,Chiara,Dmitri,Eleni,Farid,Grace,Håkon,Ingrid,José,Kwame,Łukasz,Mei,Nadia,Oluwaseun,Priya,Quentin,Rosalía,Sanjay,Thùy,Ümit,Violeta,Wiremu,Ximena,Yūki,Zoë'.split(
    ',',
  );
const FAMILY =
  'Ahlström,Brontë,Castañeda,Dvořák,Eriksen,Ferreira,García,Hernández,Ivanova,Jørgensen,Kowalski,Lindqvist,Müller,Nakamura,Okafor,Petrov,Quiroga,Rossi,Şahin,Tanaka,Ueda,Virtanen,Weiß,Xu,Yılmaz,Zhang'.split(
    ',',
  );
/** Display names that break naive column widths, byte counts and string reversal. */
const ODD_NAMES = ['李小龍 🐉', 'محمد الفاتح', 'Zalgö̴ T̶e̷s̸t', 'שרה כהן', '𝕄𝕒𝕥𝕙 𝔾𝕖𝕖𝕜', '👩‍💻 Dev'];

function person(seed: number, username: string, displayName: string, extra: Partial<Person> = {}): Person {
  const name = `${seed}/person/${username}`;
  return {
    uuid: bracedUuid(name),
    type: 'user',
    accountId: `712020:${bracedUuid(`${name}/account`).slice(1, -1)}`,
    username,
    nickname: displayName.split(' ')[0] ?? displayName,
    displayName,
    email: `${username}@example.com`,
    createdOn: (parseMicros('2019-03-04T09:15:00Z') ?? 0) + mix(textSeed(name)) * 1000 + 137,
    twoFactor: false,
    ...extra,
  };
}

export function createCast(seed: number): Cast {
  return {
    admin: person(seed, 'ada-admin', 'Ada Admin'),
    member: person(seed, 'mia-member', 'Mia Member', { twoFactor: true }),
    repositoryAdmin: person(seed, 'rob-repoadmin', 'Rob Repoadmin'),
    outsider: person(seed, 'olga-outsider', 'Olga Outsider'),
    service: person(seed, 'import-service', 'Import Service'),
  };
}

/** Contributors of a host: mostly ordinary, some with odd names, one bot, two deleted. */
export function createContributors(seed: number, count: number): Person[] {
  const people: Person[] = [];
  const random: Random = createRandom(mix(seed, 77));
  for (let index = 0; index < count; index += 1) {
    const odd = index % 9 === 4 ? ODD_NAMES[Math.floor(index / 9) % ODD_NAMES.length] : undefined;
    const given = random.pick(GIVEN);
    const display = odd ?? `${given} ${random.pick(FAMILY)}`;
    const username = `dev-${String(index + 1).padStart(3, '0')}`;
    if (index === 5)
      people.push(person(seed, 'release-bot', 'Release Bot', { type: 'app_user', appKind: 'app' }));
    else if (index === 6 || index === 13)
      people.push(person(seed, `former-${index}`, 'Former user', { type: 'former' }));
    else people.push(person(seed, username, display));
  }
  return people;
}

/** The pseudo-user an access token acts as (facts 1.4). */
export function tokenPerson(seed: number, name: string, kind: string): Person {
  return person(seed, `token-${textSeed(name).toString(16)}`, name, { type: 'app_user', appKind: kind });
}

/** The account of somebody known only from a git history; the same name and e-mail give the same account. */
export function historyPerson(seed: number, name: string, email: string): Person {
  const username = `git-${secretText(`${name}<${email}>`, 10).toLowerCase()}`;
  const display = name === '' ? username : name;
  return person(seed, username, display, { email });
}
