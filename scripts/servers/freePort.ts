import { createServer } from 'node:net';

const ATTEMPTS = 50;

/** Whether a port of the loopback address can be listened on now; answers the port, or undefined when it is taken. */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

/**
 * Finds a free port of 127.0.0.1: the preferred one, or the next free one above it; without a preference whichever
 * the system gives. Another program may still take it before it is used, so whoever starts a server on it should be
 * ready to try another.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred === undefined) {
    const port = await tryPort(0);
    if (port === undefined) throw new Error('The system has no free port on 127.0.0.1.');
    return port;
  }
  for (let port = preferred; port < preferred + ATTEMPTS; port += 1) {
    const free = await tryPort(port);
    if (free !== undefined) return free;
  }
  throw new Error(
    `No port from ${preferred} to ${preferred + ATTEMPTS - 1} of 127.0.0.1 is free. Stop what listens there.`,
  );
}
