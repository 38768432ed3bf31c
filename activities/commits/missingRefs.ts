import { z } from 'zod';
import { segment } from '../bitbucket/connectionCheck/target.ts';
import type { BitbucketErrorType } from '../bitbucket/errors.ts';

/** How a walk over a list of refs finds out which of those that the list lacks are gone. */

/** So many are looked up behind a reading, a request each: a list that lacks more is tried by so many of them. */
export const MAX_LOOK_UPS = 10;

export const lookUpFields = {
  /** stored refs that the list lacks and that are still to be looked up; null: not known yet */
  asking: z.array(z.string()).nullable().default(null),
  /** those of them that are not there */
  gone: z.array(z.string()).default([]),
  /** one of them is there: the reading is false */
  contradicted: z.boolean().default(false),
};

export const noLookUps = { asking: null, contradicted: false };

interface LookUps {
  asking: string[] | null;
  gone: string[];
  contradicted: boolean;
}

/** The path of one ref below its list: a `/` of its name stays one, as in Bitbucket's own links. */
export const refPath = (name: string): string => name.split('/').map(segment).join('/');

/** What a look-up cannot tell of a ref by itself: it waits for a second list. */
const TELLS_NOTHING: ReadonlySet<BitbucketErrorType> = new Set(['BadRequest', 'Forbidden', 'FeatureGone']);

/** Behind a look-up that is refused; undefined: the error stands. 404 for the whole repository comes as RepositoryGone. */
export function behindRefusedLookUp<At extends LookUps>(at: At, type: BitbucketErrorType): At | undefined {
  const [name, ...asking] = at.asking ?? [];
  if (name === undefined) return undefined;
  if (type === 'NotFound') return { ...at, asking, gone: [...at.gone, name] };
  return TELLS_NOTHING.has(type) ? { ...at, asking } : undefined;
}
