import { z } from 'zod';

/** The parts of an OpenAPI 3.1 document that the docs page shows. Our own document, so the rest may be ignored. */
const schemaRef = z.looseObject({ $ref: z.string().optional(), type: z.unknown().optional() });
export type SchemaNode = z.infer<typeof schemaRef> & Record<string, unknown>;

const content = z.record(z.string(), z.looseObject({ schema: schemaRef.optional() })).optional();

const operation = z.looseObject({
  operationId: z.string(),
  summary: z.string(),
  description: z.string().optional(),
  tags: z.array(z.string()),
  'x-required-role': z.string().optional(),
  parameters: z
    .array(
      z.looseObject({
        name: z.string(),
        in: z.string(),
        required: z.boolean().optional(),
        schema: schemaRef.optional(),
      }),
    )
    .optional(),
  requestBody: z.looseObject({ content }).optional(),
  responses: z.record(z.string(), z.looseObject({ description: z.string(), content })),
});
export type DocumentedOperation = z.infer<typeof operation>;

export const documentSchema = z.looseObject({
  info: z.looseObject({ title: z.string(), description: z.string() }),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.looseObject({ schemas: z.record(z.string(), schemaRef) }),
});
export type ApiDocument = z.infer<typeof documentSchema>;
