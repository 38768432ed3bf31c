import { z } from '@hono/zod-openapi';
import { CREDENTIAL_KINDS, SERVICES } from '../../workflows/words.ts';

/** In small letters, as we write them: ids of workflows and folders are made of it. */
export const id = z
  .uuid()
  .toLowerCase()
  .meta({ description: 'uuid', example: '0199c3c2-8c5a-7a50-8b5e-0a8d7c5f1e11' });

export const timestamp = z.iso
  .datetime({ offset: true })
  .meta({ description: 'RFC 3339, with the microseconds of the source' });

/**
 * A time that a caller gives, as Postgres takes it (it refuses the year 0000 and offsets of 16 hours and more, with
 * 22008 and 22009) and RFC 3339 can write it in UTC: years 0001 to 9999.
 */
export const givenTime = z.iso
  .datetime({ offset: true, abort: true })
  .max(40)
  .refine(
    (text) => {
      const year = new Date(text).getUTCFullYear();
      return year >= 1 && year <= 9999 && !text.startsWith('0000') && !/[+-](1[6-9]|2\d):\d\d$/.test(text);
    },
    {
      error: 'The year is not one of 0001 to 9999, or the offset is of 16 hours or more.',
      params: { fix: 'Give the time in UTC, for example `2026-01-31T00:00:00Z`.' },
    },
  );

export const service = z.enum(SERVICES);
export const credentialKind = z.enum(CREDENTIAL_KINDS);

export const finding = z
  .strictObject({
    code: z.string(),
    message: z.string(),
    remedy: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .openapi('Finding');

/** A step that can be taken next, as a request that can be sent. */
export const link = z
  .strictObject({
    action: z.string(),
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
    href: z.string(),
    hint: z.string(),
  })
  .openapi('Link');

/** A success in words, for the person in front of the screen. */
export const message = z.strictObject({ code: z.string(), text: z.string() }).openapi('Message');

export const createdBy = z.strictObject({
  api_key_id: id.nullable(),
  acting_user: z.string().nullable(),
});

export const limitQuery = z.coerce
  .number()
  .int()
  .min(1)
  .max(200)
  .default(50)
  .meta({ description: 'rows a page, 1 to 200' });
export const cursorQuery = z
  .string()
  .max(2_000)
  .optional()
  .meta({ description: '`next_cursor` of the page before' });
export const pageQuery = z.strictObject({ limit: limitQuery, cursor: cursorQuery });

/** A page of records that have a state of Bitbucket's. */
export const stateQuery = pageQuery.extend({
  state: z
    .string()
    .regex(/^[\w -]{1,50}$/, 'This is no state.')
    .optional(),
});

export const idParam = z.strictObject({ id });

/** `{data, next_cursor}` of one kind of row. */
export const listOf = <T extends z.ZodType>(row: T, name: string) =>
  z
    .strictObject({
      data: z.array(row),
      next_cursor: z.string().nullable().meta({ description: 'null: this was the last page' }),
    })
    .openapi(name);
