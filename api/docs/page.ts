import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { ApiDocument, DocumentedOperation, SchemaNode } from './document.ts';
import { outline } from './outline.ts';

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:0;color:#172b4d;background:#fff}
main,nav{max-width:60rem;margin:0 auto;padding:1rem 1.5rem}nav ul{columns:2;padding-left:1rem}h1{font-size:1.6rem}
h2{margin-top:2.5rem;border-bottom:1px solid #dfe1e6}h3{margin:1.75rem 0 .25rem;font-size:1rem}
code,pre{font:13px/1.45 ui-monospace,monospace;background:#f4f5f7;border-radius:4px}code{padding:.1rem .3rem}
pre{padding:.75rem 1rem;overflow:auto}.method{display:inline-block;min-width:3.75rem;font-weight:600;color:#0c66e4}
table{border-collapse:collapse;margin:.5rem 0}td,th{text-align:left;padding:.2rem .75rem .2rem 0;vertical-align:top}
.quiet{color:#44546f}summary{cursor:pointer}`;

/** One style by its hash, nothing else: no script, no font, nothing from the internet. */
export const DOCS_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

interface Entry {
  method: string;
  path: string;
  operation: DocumentedOperation;
}

const JSON_TYPE = 'application/json';

/** The whole API on one page, made from the OpenAPI document. Texts are escaped by `html`. */
export async function docsPage(document: ApiDocument): Promise<string> {
  const entries: Entry[] = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const tags = [...new Set(entries.flatMap(({ operation }) => operation.tags))];
  const shape = (node: SchemaNode): string => outline(node, document.components.schemas);
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${document.info.title} API</title><style>${raw(STYLE)}</style></head><body>
<nav><h1>${document.info.title} API</h1><p>${document.info.description}</p>
<p>Send <code>Authorization: Bearer KEY</code>. The machine-readable document is <a href="/openapi.json">/openapi.json</a>.</p>
<ul>${entries.map(({ operation }) => html`<li><a href="#${operation.operationId}">${operation.summary}</a></li>`)}</ul></nav>
<main>${tags.map(
    (tag) =>
      html`<section><h2>${tag}</h2>${entries
        .filter(({ operation }) => operation.tags.includes(tag))
        .map((entry) => showOperation(entry, shape))}</section>`,
  )}</main></body></html>`;
  return (await page).toString();
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function showOperation({ method, path, operation }: Entry, shape: (node: SchemaNode) => string) {
  const role = operation['x-required-role'];
  const body = operation.requestBody?.content?.[JSON_TYPE]?.schema;
  return html`<article id="${operation.operationId}"><h3><span class="method">${method}</span> <code>${path}</code></h3>
<p>${operation.summary}. ${operation.description ?? ''} <span class="quiet">${
    role === undefined ? 'Needs no key.' : `Role: ${role}.`
  }</span></p>
${
  operation.parameters === undefined
    ? ''
    : html`<table>${operation.parameters.map(
        (parameter) =>
          html`<tr><td><code>${parameter.name}</code></td><td class="quiet">${parameter.in}${
            parameter.required === true ? ', required' : ''
          }</td><td>${textOf(parameter.schema?.['description'])}</td></tr>`,
      )}</table>`
}
${body === undefined ? '' : html`<details><summary>Body</summary><pre>${shape(body)}</pre></details>`}
<table>${Object.entries(operation.responses).map(
    ([status, answer]) => html`<tr><td><code>${status}</code></td><td>${answer.description}</td></tr>`,
  )}</table>
${Object.entries(operation.responses).map(([status, answer]) => {
  const schema = answer.content?.[JSON_TYPE]?.schema;
  return schema === undefined
    ? ''
    : html`<details><summary>Answer ${status}</summary><pre>${shape(schema)}</pre></details>`;
})}</article>`;
}
