import { connect, createServer, type Socket } from 'node:net';

/** What becomes of a connection on its way: nothing, or an end that no server would choose. */
export type Mishap =
  | { kind: 'none' }
  /** reset as soon as it stands */
  | { kind: 'refuse' }
  /** so many bytes of answers go through, then it is reset or just ends */
  | { kind: 'break'; afterBytes: number; how: 'reset' | 'end' }
  /** these bytes instead of any answer */
  | { kind: 'garbage'; bytes: Uint8Array }
  /** taken, and never answered */
  | { kind: 'hang' };

export interface HostileProxy {
  /** `http://127.0.0.1:port` */
  url: string;
  port: number;
  /** where connections go, port on this machine */
  target: number;
  /** asked for each new connection */
  next: () => Mishap;
  close(): Promise<void>;
}

/** A wire on which connections meet with mishaps. */
export async function createHostileProxy(): Promise<HostileProxy> {
  const sockets = new Set<Socket>();
  const track = (socket: Socket, other?: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => other?.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      other?.destroy();
    });
  };
  const server = createServer((near) => {
    const mishap = proxy.next();
    track(near);
    if (mishap.kind === 'refuse') return void near.resetAndDestroy();
    if (mishap.kind === 'hang') return void near.resume();
    if (mishap.kind === 'garbage') {
      near.once('data', () => near.end(mishap.bytes));
      return;
    }
    const far = connect(proxy.target, '127.0.0.1');
    track(far, near);
    near.on('close', () => far.destroy());
    near.pipe(far);
    if (mishap.kind === 'none') far.pipe(near);
    else breakAfter(near, far, mishap);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy listens on no port');
  const proxy: HostileProxy = {
    url: `http://127.0.0.1:${String(address.port)}`,
    port: address.port,
    target: 0,
    next: () => ({ kind: 'none' }),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

function breakAfter(near: Socket, far: Socket, mishap: Extract<Mishap, { kind: 'break' }>): void {
  let left = mishap.afterBytes;
  far.on('data', (bytes: Buffer) => {
    if (left <= 0) return;
    const part = bytes.subarray(0, left);
    left -= part.length;
    near.write(part, () => {
      if (left > 0) return;
      if (mishap.how === 'reset') near.resetAndDestroy();
      else near.end();
    });
  });
  far.on('end', () => near.end());
}
