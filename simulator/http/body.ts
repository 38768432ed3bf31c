import type { IncomingMessage } from 'node:http';

/** The whole body of a request as UTF-8. */
export async function readText(request: IncomingMessage): Promise<string> {
  request.setEncoding('utf8');
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
