import { parse } from 'node-html-parser';

/** One page as a person would see it: where they are, what it says, and the forms on it. */
export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly title: string;
  readonly text: string;
  readonly forms: readonly Form[];
}

interface Form {
  readonly action: URL;
  readonly method: string;
  /** fields as the page fills them */
  readonly fields: Readonly<Record<string, string>>;
  /** submit buttons that carry a name and a value */
  readonly buttons: readonly { readonly name: string; readonly value: string; readonly label: string }[];
}

export interface Browser {
  open(url: string): Promise<Page>;
  /** Fills in the page's form and presses its button (the one whose label matches, where there are several). */
  submit(page: Page, fields?: Record<string, string>, button?: RegExp): Promise<Page>;
}

const MAX_REDIRECTS = 10;

/**
 * Does what the demo's person does in a browser: keeps cookies, follows redirects, fills in forms. It stops before a
 * redirect to an address that `stopAt` accepts, so that the demo can play the product's own page.
 */
export function createBrowser(options: { stopAt?: (url: URL) => boolean } = {}): Browser {
  const cookies = new Map<string, string>();

  async function go(target: URL, init: { method: string; body?: URLSearchParams }): Promise<Page> {
    let url = target;
    let { method, body } = init;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      const jar = [...cookies].filter(([key]) => key.startsWith(`${url.host} `));
      const answer = await fetch(url, {
        method,
        redirect: 'manual',
        headers: {
          accept: 'text/html',
          ...(jar.length === 0 ? {} : { cookie: jar.map(([, pair]) => pair).join('; ') }),
          ...(body === undefined ? {} : { origin: url.origin, 'sec-fetch-site': 'same-origin' }),
        },
        ...(body === undefined ? {} : { body }),
      });
      for (const cookie of answer.headers.getSetCookie()) {
        const pair = cookie.split(';', 1)[0] ?? '';
        cookies.set(`${url.host} ${pair.split('=', 1)[0]}`, pair);
      }
      const location = answer.headers.get('location');
      if (location === null || answer.status < 300 || answer.status > 399) return readPage(url, answer);
      await answer.body?.cancel();
      url = new URL(location, url);
      if (options.stopAt?.(url) === true)
        return { url, status: answer.status, title: '', text: '', forms: [] };
      if (answer.status !== 307 && answer.status !== 308) [method, body] = ['GET', undefined];
    }
    throw new Error(`${target.origin}${target.pathname} redirects more than ${MAX_REDIRECTS} times.`);
  }

  return {
    open: (url) => go(new URL(url), { method: 'GET' }),
    submit(page, fields = {}, button) {
      const form = page.forms[0];
      if (form === undefined)
        throw new Error(`There is no form on ${page.url.pathname}: ${page.text.slice(0, 200)}`);
      const pressed = form.buttons.find(({ label }) => button === undefined || button.test(label));
      const values = { ...form.fields, ...fields, ...(pressed ? { [pressed.name]: pressed.value } : {}) };
      if (form.method === 'POST')
        return go(form.action, { method: 'POST', body: new URLSearchParams(values) });
      const url = new URL(form.action);
      url.search = new URLSearchParams(values).toString();
      return go(url, { method: 'GET' });
    },
  };
}

async function readPage(url: URL, answer: Response): Promise<Page> {
  const document = parse(await answer.text());
  const forms = document.querySelectorAll('form').map((form): Form => {
    const inputs = form.querySelectorAll('input').filter((input) => input.getAttribute('type') !== 'submit');
    const buttons = form.querySelectorAll('button, input[type=submit]');
    return {
      action: new URL(form.getAttribute('action') ?? '', url),
      method: (form.getAttribute('method') ?? 'get').toUpperCase(),
      fields: Object.fromEntries(
        inputs.map((input) => [input.getAttribute('name') ?? '', input.getAttribute('value') ?? '']),
      ),
      buttons: buttons.flatMap((button) => {
        const name = button.getAttribute('name');
        if (name === undefined) return [];
        const value = button.getAttribute('value') ?? '';
        return [{ name, value, label: button.text.trim() || value }];
      }),
    };
  });
  return {
    url,
    status: answer.status,
    title: document.querySelector('title')?.text.trim() ?? '',
    text: (document.querySelector('body') ?? document).structuredText,
    forms,
  };
}
