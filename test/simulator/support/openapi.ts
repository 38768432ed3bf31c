import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';

interface OpenApiDocument {
  paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, { schema?: object }> }> }>
  >;
}

/** Beside the checkout, not in it: the document is Atlassian's. */
export const SHARED_FOLDER = fileURLToPath(new URL('../../../../shared/bitbucket/', import.meta.url));
export const SHARED_IS_HERE = existsSync(`${SHARED_FOLDER}openapi.json`);

/** A place where real answers differ from the document. */
export interface KnownDifference {
  /** Ajv's keyword, and the extra key for `additionalProperties`. */
  keyword: 'type' | 'format' | 'additionalProperties' | 'enum' | 'required';
  /** The end of the place in the answer, list positions as `#`. */
  at: RegExp;
  /** Only these extra or missing keys. */
  keys?: string[];
  because: string;
}

export interface OpenApi {
  /** The document's template for a route of the simulator, `/user/workspaces/:workspace/permission`. */
  templateOf(route: string): string | undefined;
  /**
   * What is wrong with an answer, without the known differences: one line a finding. Undefined when the document
   * has no JSON schema for this operation and status.
   */
  check(template: string, method: string, status: number, body: unknown): string[] | undefined;
  /** The same for one of the document's named schemas. */
  checkSchema(name: string, body: unknown): string[];
  /** Differences that no answer has shown so far. */
  unused(): KnownDifference[];
}

/** The document as a judge of answers. */
export function createOpenApi(known: readonly KnownDifference[]): OpenApi {
  const document: OpenApiDocument = JSON.parse(readFileSync(`${SHARED_FOLDER}openapi.json`, 'utf8'));
  // Not strict: the document has OpenAPI's own words, such as `discriminator`, among the schemas.
  const ajv = new Ajv({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema(document, 'bitbucket');
  const validators = new Map<string, ValidateFunction>();
  const used = new Set<KnownDifference>();
  const anonymous = (path: string) => path.replace(/\{[^}]*\}|[:*]\w+/g, '{}');
  const templates = new Map(Object.keys(document.paths).map((path) => [anonymous(path), path]));

  function validatorOf(template: string, method: string, status: number): ValidateFunction | undefined {
    const content = document.paths[template]?.[method]?.responses[status]?.content;
    if (!content?.['application/json']?.schema) return undefined;
    const pointer = [
      'paths',
      template,
      method,
      'responses',
      String(status),
      'content',
      'application/json',
      'schema',
    ]
      .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/');
    const validator = validators.get(pointer) ?? ajv.compile({ $ref: `bitbucket#/${pointer}` });
    validators.set(pointer, validator);
    return validator;
  }

  function findingsOf(validate: ValidateFunction, body: unknown): string[] {
    if (validate(body)) return [];
    const findings = new Set<string>();
    for (const error of validate.errors ?? []) {
      const place = error.instancePath.replace(/\/\d+(?=\/|$)/g, '/#');
      if (!isKnown(error, place)) {
        findings.add(`${place || '/'} ${error.message} ${JSON.stringify(error.params)}`);
      }
    }
    return [...findings];
  }

  function isKnown(error: ErrorObject, place: string): boolean {
    const key = error.params.additionalProperty ?? error.params.missingProperty;
    const difference = known.find(
      ({ keyword, at, keys }) =>
        keyword === error.keyword && at.test(place) && (keys === undefined || keys.includes(key)),
    );
    if (difference) used.add(difference);
    return difference !== undefined;
  }

  return {
    templateOf: (route) => templates.get(anonymous(route)),
    check(template, method, status, body) {
      const validate = validatorOf(template, method, status);
      return validate && findingsOf(validate, body);
    },
    checkSchema(name, body) {
      const key = `schema ${name}`;
      const validate = validators.get(key) ?? ajv.compile({ $ref: `bitbucket#/components/schemas/${name}` });
      validators.set(key, validate);
      return findingsOf(validate, body);
    },
    unused: () => known.filter((difference) => !used.has(difference)),
  };
}
