import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { Shown } from '../client.ts';

export interface Received {
  headers: IncomingHttpHeaders;
  raw: string;
  json: Shown;
}

export interface Receiver {
  url: string;
  received: Received[];
  /** Keys of the events so far, in order of arrival. */
  events(): (string | undefined)[];
  /** What the next requests are answered, one after another, then 200; `hang` never answers, `reset` cuts the connection. */
  answers: (number | 'hang' | 'reset')[];
  close(): Promise<void>;
}

/** A customer's address for webhooks. */
export async function createReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const answers: Receiver['answers'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      const raw = Buffer.concat(chunks).toString('utf8');
      received.push({ headers: request.headers, raw, json: JSON.parse(raw) });
      const answer = answers.shift() ?? 200;
      if (answer === 'reset') request.socket.destroy();
      else if (answer !== 'hang') response.writeHead(answer).end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the receiver listens on no port');
  return {
    url: `http://127.0.0.1:${address.port}/webhooks/token`,
    received,
    events: () => received.map(({ headers }) => headers['x-event-key']?.toString()),
    answers,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
