import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ApiEnv } from '../dependencies.ts';

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#172b4d}
main{max-width:34rem;margin:12vh auto;padding:2rem 2.5rem;background:#fff;border-radius:8px;box-shadow:0 1px 4px #091e4240}
h1{font-size:1.35rem;margin:0 0 .75rem}button{font:inherit;padding:.5rem 1.25rem;border:0;border-radius:4px;background:#0c66e4;color:#fff;cursor:pointer}
.remedy{color:#44546f}`;

// The style by its hash: a page of ours runs no script and loads nothing.
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`;

export interface Page {
  status: ContentfulStatusCode;
  title: string;
  /** paragraphs of plain text; they are escaped */
  text: string[];
  remedy?: string;
  /** shows a button that sends this completion */
  connect?: { completion: string; action: string };
}

/** A small page of our own. Everything in it is escaped by `html`. */
export function showPage(c: Context<ApiEnv>, page: Page): Response | Promise<Response> {
  c.header('Content-Security-Policy', POLICY);
  // `no-referrer` would make the browser send `Origin: null` with the form.
  c.header('Referrer-Policy', 'same-origin');
  const { connect } = page;
  return c.html(
    html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${page.title}</title><style>${STYLE}</style></head>
<body><main><h1>${page.title}</h1>
${page.text.map((paragraph) => html`<p>${paragraph}</p>`)}
${page.remedy === undefined ? '' : html`<p class="remedy">${page.remedy}</p>`}
${
  connect === undefined
    ? ''
    : html`<form method="post" action="${connect.action}"><input type="hidden" name="completion" value="${connect.completion}"><button type="submit">Connect</button></form>`
}
</main></body></html>`,
    page.status,
  );
}
