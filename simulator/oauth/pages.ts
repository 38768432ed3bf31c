import { htmlReply, type Reply } from '../http/reply.ts';
import { escapeHtml } from '../rest/json.ts';

function page(title: string, body: string, status = 200): Reply {
  return htmlReply(
    `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}label{display:block;margin:.7rem 0}input{width:100%;padding:.4rem}button{padding:.5rem 1rem;margin:.5rem .5rem 0 0}</style>
</head><body><h1>${escapeHtml(title)}</h1>
${body}
</body></html>
`,
    status,
  );
}

const hidden = (name: string, value: string): string =>
  `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`;

export function loginPage(next: string, problem?: string): Reply {
  const note = problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>`;
  return page(
    'Log in to continue',
    `${note}<form method="post" action="/account/signin/">${hidden('next', next)}
<label>Email or username <input name="username" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button type="submit">Log in</button></form>`,
    problem === undefined ? 200 : 401,
  );
}

export function codePage(next: string, step: string, problem?: string): Reply {
  const note = problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>`;
  return page(
    'Two-step verification',
    `${note}<form method="post" action="/account/signin/">${hidden('next', next)}${hidden('step', step)}
<label>6-digit code <input name="code" inputmode="numeric"></label>
<button type="submit">Verify</button></form>`,
    problem === undefined ? 200 : 401,
  );
}

export function consentPage(input: {
  consumer: string;
  person: string;
  scopes: readonly string[];
  formToken: string;
  query: string;
}): Reply {
  const scopes = input.scopes.map((scope) => `<li><code>${escapeHtml(scope)}</code></li>`).join('');
  return page(
    `${input.consumer} requests access`,
    `<p>Signed in as ${escapeHtml(input.person)}. It will be able to use:</p><ul>${scopes}</ul>
<form method="post" action="/site/oauth2/authorize?${escapeHtml(input.query)}">${hidden('form_token', input.formToken)}
<button type="submit" name="action" value="approve">Grant access</button>
<button type="submit" name="action" value="deny">Cancel</button></form>`,
  );
}

export function problemPage(title: string, text: string): Reply {
  return page(title, `<p>${escapeHtml(text)}</p>`, 400);
}
