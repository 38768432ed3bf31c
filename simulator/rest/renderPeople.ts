import type { Person } from '../model/people.ts';
import { formatMicros } from '../model/time.ts';
import { createFragments, inUrl, type Json, quote } from './json.ts';
import type { Urls } from './urls.ts';

export interface RenderPeople {
  /** `null` for a removed account. */
  person(person: Person | null): Json;
  /** The fuller object of `GET /user`, with `username` (facts 2, 2019-04-29). */
  self(person: Person): Json;
  forget(person: Person): void;
}

export function createRenderPeople(urls: Urls): RenderPeople {
  function links(person: Person): Json {
    const self = quote(`${urls.api}/users/${inUrl(person.uuid)}`);
    const avatar = quote(`${urls.web}/account/${inUrl(person.uuid)}/avatar/`);
    const html = quote(`${urls.web}/${inUrl(person.uuid)}/`);
    return `{"self":{"href":${self}},"avatar":{"href":${avatar}},"html":{"href":${html}}}`;
  }

  function short(person: Person): Json {
    const name = `"display_name":${quote(person.displayName)}`;
    if (person.type === 'former') {
      return `{${name},"links":${links(person)},"type":"user","uuid":${quote(person.uuid)}}`;
    }
    if (person.type === 'app_user') {
      const avatar = quote(`${urls.web}/account/${inUrl(person.uuid)}/avatar/`);
      return `{"type":"app_user","links":{"avatar":{"href":${avatar}}},"created_on":"${formatMicros(person.createdOn)}",${name},"uuid":${quote(person.uuid)},"account_id":${quote(person.accountId)},"account_status":"active","kind":${quote(person.appKind ?? 'app')}}`;
    }
    return `{${name},"links":${links(person)},"type":"user","uuid":${quote(person.uuid)},"account_id":${quote(person.accountId)},"nickname":${quote(person.nickname)}}`;
  }

  const fragments = createFragments(short);
  return {
    person: (person) => (person === null ? 'null' : fragments.get(person)),
    self: (person) =>
      `{"display_name":${quote(person.displayName)},"links":${links(person)},"created_on":"${formatMicros(person.createdOn)}","type":"user","uuid":${quote(person.uuid)},"has_2fa_enabled":${person.twoFactor},"username":${quote(person.username)},"is_staff":false,"account_id":${quote(person.accountId)},"nickname":${quote(person.nickname)},"account_status":"active"}`,
    forget: (person) => fragments.forget(person),
  };
}
