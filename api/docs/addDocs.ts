import type { ApiApp } from '../dependencies.ts';
import { apiDocument } from '../openapi.ts';
import { documentSchema } from './document.ts';
import { DOCS_POLICY, docsPage } from './page.ts';

/** `/docs`: the API on one page, without anything from the internet. To be called when all routes are there. */
export function addDocs(app: ApiApp): void {
  let page: string | undefined;
  app.get('/docs', async (c) => {
    page ??= await docsPage(documentSchema.parse(apiDocument(app)));
    c.header('Content-Security-Policy', DOCS_POLICY);
    return c.html(page);
  });
}
