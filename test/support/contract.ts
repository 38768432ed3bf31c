import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

interface DocumentedAnswer {
  content?: Record<string, { schema?: object }>;
  headers?: Record<string, unknown>;
}
export interface Operation {
  method: string;
  path: string;
  operationId: string;
  'x-required-role'?: string;
  security?: unknown[];
  parameters?: { name: string; in: string }[];
  requestBody?: { required?: boolean; content: Record<string, unknown> };
  responses: Record<string, DocumentedAnswer>;
}

export type Send = (path: string, init: RequestInit) => Promise<Response> | Response;

/** One answer, checked against the document. */
export interface Checked {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read bodies freely and assert what they find
  body: any;
}

/**
 * Holds answers to the OpenAPI document: the status is declared, so is the media type, the body is what the schema says,
 * the promised headers are there. Remembers which statuses of which operation were seen.
 */
export interface Contract {
  operations: Operation[];
  call(send: Send, method: string, path: string, init?: RequestInit): Promise<Checked>;
  /** `operationId status` declared in the document and never seen */
  unseen(): string[];
}

const pointer = (...parts: string[]): string =>
  parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

export function createContract(document: { paths: Record<string, Record<string, object>> }): Contract {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  // The plugin is CommonJS: its function is its default export's default.
  (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
  ajv.addSchema({ ...document, $id: 'api' });
  const validators = new Map<string, ValidateFunction>();
  const seen = new Set<string>();
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) => ({ ...operation, method: method.toUpperCase(), path }) as Operation,
    ),
  );

  /** The most literal path wins: `/imports/{id}` does not stand for `/imports/{id}/events`. */
  function find(method: string, path: string): Operation | undefined {
    const bare = path.split('?')[0] ?? '';
    return operations
      .filter((operation) => operation.method === method)
      .find(({ path: template }) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(bare));
  }

  function validatorOf(operation: Operation, status: number, type: string): ValidateFunction {
    const at = pointer(
      'paths',
      operation.path,
      operation.method.toLowerCase(),
      'responses',
      String(status),
      'content',
      type,
      'schema',
    );
    const known = validators.get(at) ?? ajv.compile({ $ref: `api#${encodeURI(at)}` });
    validators.set(at, known);
    return known;
  }

  function check(operation: Operation, response: Response, body: unknown): void {
    const what = `${operation.operationId} ${response.status}`;
    const declared = operation.responses[String(response.status)];
    if (declared === undefined) throw new Error(`${what} is not declared: ${JSON.stringify(body)}`);
    const types = Object.keys(declared.content ?? {});
    const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
    if (types.length === 0 ? body !== '' : !types.includes(type)) {
      throw new Error(`${what} has the type "${type}"; declared are: ${types.join(', ') || 'none'}`);
    }
    if (type.endsWith('json')) {
      const validate = validatorOf(operation, response.status, type);
      if (!validate(body)) {
        throw new Error(`${what}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(body, null, 1)}`);
      }
    }
    const promised = Object.keys(declared.headers ?? {});
    if (response.status === 401) promised.push('WWW-Authenticate');
    if (response.status === 503) promised.push('Retry-After');
    for (const header of ['X-Request-Id', 'X-Content-Type-Options', 'Content-Security-Policy', ...promised]) {
      if (!response.headers.has(header)) throw new Error(`${what} has no header ${header}`);
    }
    seen.add(what);
  }

  return {
    operations,
    async call(send, method, path, init = {}) {
      const response = await send(path, { method, redirect: 'manual', ...init });
      const text = await response.text();
      const json = response.headers.get('content-type')?.includes('json') === true;
      const body: unknown = json ? JSON.parse(text) : text;
      const operation = find(method, path);
      if (operation !== undefined) check(operation, response, body);
      return { status: response.status, headers: response.headers, body };
    },
    unseen: () =>
      operations
        .flatMap(({ operationId, responses }) =>
          Object.keys(responses).map((status) => `${operationId} ${status}`),
        )
        .filter((what) => !seen.has(what)),
  };
}
