import { connect, createServer, type Socket } from 'node:net';

/** A wire between two processes that a test can cut. */
export interface TcpProxy {
  /** host:port */
  address: string;
  /** Ends every connection that stands; new ones go through. */
  cut(): void;
  /** The same, not in order: both ends get an error (RST). */
  reset(): void;
  /** Nobody is told that the other end of what stands is gone: what it is sent has no answer. New ones go through. */
  vanish(): void;
  close(): Promise<void>;
}

/**
 * Passes everything on to `target` (host:port). `listen` is called for each connection, and what it answers is given
 * what the near end sends, before it is passed on.
 */
export async function createTcpProxy(
  target: string,
  listen?: () => (sent: Buffer) => void,
): Promise<TcpProxy> {
  const [host, port] = target.split(':');
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), host ?? '127.0.0.1');
    const heard = listen?.();
    if (heard !== undefined) near.on('data', heard);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy listens on no port');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${address.port}`,
    cut,
    reset() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    vanish() {
      for (const socket of sockets) socket.unpipe().resume();
    },
    async close() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
