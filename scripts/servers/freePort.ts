import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const ATTEMPTS = 50;

/**
 * Ports that systems do not give to outgoing connections (Linux begins at 32,768, others at 49,152): one of those could
 * be taken by any connection of this machine before the server listens.
 */
const LOWEST = 15_000;
const BEHIND_HIGHEST = 32_000;

/** Whether a port of the loopback address can be listened on now. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}

/**
 * Finds a free port of 127.0.0.1: the preferred one, or the next free one above it; without a preference any that no
 * outgoing connection takes. Another server may still take it before it is used, so whoever starts one on it should
 * be ready to try another. Throws when so many in a row are taken.
 */
export async function freePort(preferred = randomInt(LOWEST, BEHIND_HIGHEST)): Promise<number> {
  for (let port = preferred; port < preferred + ATTEMPTS; port += 1) {
    if (await isFree(port)) return port;
  }
  throw new Error(
    `No port from ${preferred} to ${preferred + ATTEMPTS - 1} of 127.0.0.1 is free. Stop what listens there.`,
  );
}
