import { createHash, randomBytes, randomInt } from 'node:crypto';
import postgres from 'postgres';
import { v7 as uuid } from 'uuid';
import { ROLES, type Role } from '../../db/schema/tenancy.ts';

/** What the operator does with organizations and their keys, as the owner of the database. */
export interface Operator {
  createOrganization(name: string): Promise<string>;
  listOrganizations(): Promise<{ id: string; name: string; returnUrls: string[]; keys: number }[]>;
  /** The exact URL that the OAuth callback may send a browser back to. */
  addReturnUrl(organization: string, url: string): Promise<void>;
  /** Made when it is not there. `organization` is a name or an id. The key is told this once. */
  createKey(wanted: NewKey): Promise<{ key: string; prefix: string; organizationId: string }>;
  listKeys(): Promise<ListedKey[]>;
  /** False: there is no such key, or it was revoked before. */
  revokeKey(prefix: string): Promise<boolean>;
  end(): Promise<void>;
}

export interface NewKey {
  organization: string;
  role: Role;
  label?: string;
  /** undefined: it does not expire */
  expiresInDays?: number;
}

interface ListedKey {
  organization: string;
  prefix: string;
  role: Role;
  label: string;
  state: 'valid' | 'expired' | 'revoked';
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';

export const isRole = (text: string): text is Role => ROLES.some((role) => role === text);

/** `bb_` + 12 public characters + `_` + 256 random bits. */
function newKey(): { key: string; prefix: string; hash: Buffer } {
  const characters = Array.from({ length: 12 }, () => ALPHABET[randomInt(ALPHABET.length)]);
  const prefix = `bb_${characters.join('')}`;
  const key = `${prefix}_${randomBytes(32).toString('base64url')}`;
  return { key, prefix, hash: createHash('sha256').update(key).digest() };
}

export function createOperator(ownerUrl: string): Operator {
  const sql = postgres(ownerUrl, { max: 1, onnotice: () => {} });

  async function findOrganization(nameOrId: string): Promise<string | undefined> {
    const [row] = UUID.test(nameOrId)
      ? await sql<{ id: string }[]>`select id from organizations where id = ${nameOrId}`
      : await sql<{ id: string }[]>`select id from organizations where name = ${nameOrId}`;
    return row?.id;
  }

  async function createOrganization(name: string): Promise<string> {
    const id = uuid();
    await sql`insert into organizations (id, name) values (${id}, ${name}) on conflict (name) do nothing`;
    const found = await findOrganization(name);
    if (found === undefined) throw new Error(`The organization ${name} could not be made.`);
    return found;
  }

  async function organizationId(nameOrId: string): Promise<string> {
    const found = await findOrganization(nameOrId);
    if (found !== undefined) return found;
    if (UUID.test(nameOrId)) throw new Error(`There is no organization with the id ${nameOrId}.`);
    return createOrganization(nameOrId);
  }

  return {
    createOrganization,

    listOrganizations: () => sql<{ id: string; name: string; returnUrls: string[]; keys: number }[]>`
      select o.id, o.name, o.return_urls as "returnUrls",
        (select count(*)::int from api_keys k where k.organization_id = o.id and k.revoked_at is null) as keys
      from organizations o order by o.name`,

    async addReturnUrl(organization, url) {
      const rows = await sql`
        update organizations set return_urls = array(select distinct unnest(return_urls || ${url}::text))
        where id = ${await organizationId(organization)} returning id`;
      if (rows.length === 0) throw new Error(`There is no organization ${organization}.`);
    },

    async createKey({ organization, role, label = '', expiresInDays }) {
      const owner = await organizationId(organization);
      const { key, prefix, hash } = newKey();
      await sql`
        insert into api_keys (id, organization_id, prefix, hash, role, label, expires_at)
        values (${uuid()}, ${owner}, ${prefix}, ${hash}, ${role}, ${label},
          clock_timestamp() + ${expiresInDays ?? null}::float8 * interval '1 day')`;
      return { key, prefix, organizationId: owner };
    },

    listKeys: () => sql<ListedKey[]>`
      select o.name as organization, k.prefix, k.role, k.label,
        case when k.revoked_at is not null then 'revoked' when k.expires_at <= clock_timestamp() then 'expired'
          else 'valid' end as state
      from api_keys k join organizations o on o.id = k.organization_id order by o.name, k.created_at`,

    async revokeKey(prefix) {
      const rows = await sql`
        update api_keys set revoked_at = clock_timestamp() where prefix = ${prefix} and revoked_at is null returning id`;
      return rows.length > 0;
    },

    end: () => sql.end(),
  };
}
