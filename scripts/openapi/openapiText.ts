import { createOpenApi } from '../../api/openapi.ts';

/** The OpenAPI document as docs/openapi.json holds it: the same bytes for the same routes. */
export const openapiText = (): string => `${JSON.stringify(createOpenApi(), null, 2)}\n`;
