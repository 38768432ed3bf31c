import { z } from 'zod';

/** Where a poll round stands; carried by its workflow as text. */
export const placeSchema = z.object({
  step: z.enum(['missed', 'pushes', 'witnesses', 'members', 'authors', 'repositories', 'rotation']),
  /** the workspace in hand; null: before the first, or behind the last */
  workspaceId: z.string().nullable(),
  /** the first answer of this round for the workspace, by Bitbucket's clock; null: none yet */
  began: z.string().nullable(),
  /** a list of the workspace was refused: what changed is asked for again in the next round */
  incomplete: z.boolean(),
  /** authors: one of their lists was given; one was refused that may be given within the hour */
  given: z.boolean().default(true),
  withheld: z.boolean().default(false),
  /** authors: the last uuid; repositories: the last id */
  after: z.string().nullable(),
  /** of the list in hand */
  next: z.string().nullable(),
  /** of the list in hand, read so far: no list is endless; witnesses: asked so far */
  pages: z.int(),
  /** of the list in hand, failed so far (`tries.ts`) */
  tries: z.int().default(0),
  /** when the round began, by Postgres' clock */
  startedAt: z.string(),
  /** how many repositories the rotation still looks at in this round */
  rotationLeft: z.int(),
});
export type Place = z.infer<typeof placeSchema>;

/** Another step of the same round, at its start. */
export const begin = (place: Place, step: Place['step'], change: Partial<Place> = {}): Place => ({
  ...place,
  step,
  after: null,
  next: null,
  pages: 0,
  tries: 0,
  ...change,
});
