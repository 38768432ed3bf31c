import { z } from '@hono/zod-openapi';

/** 1 to 100 characters as Postgres counts them, on one line, not blank. */
export const nameField = z
  .string()
  .trim()
  .refine((name) => name !== '' && Array.from(name).length <= 100, {
    message: 'A name has 1 to 100 characters and is not blank.',
    params: { fix: 'Give a name of 1 to 100 characters.' },
  })
  .refine((name) => !/[\p{Cc}\p{Cs}]/u.test(name), {
    message: 'A name holds no control characters.',
    params: { fix: 'Leave out line breaks, tabs and other control characters.' },
  })
  .meta({ minLength: 1, maxLength: 100, description: 'unique in the organization, whatever the case' });
