import { connect, type Socket } from 'node:net';

/** Of what postgres.js read from a URL: where to connect to. Several hosts stand for one server and its successors. */
interface Addresses {
  host: readonly string[];
  port: readonly number[];
  /** of a Unix socket */
  path?: string | false;
}

export interface SocketSource {
  /** for postgres.js' option `socket`: it asks again after each host that did not answer */
  open: (addresses: Addresses) => Socket;
  /** the last one that was opened */
  current: () => Socket | undefined;
}

/** postgres.js hands its own socket to nobody, and so it could not be destroyed. */
export function createSocketSource(): SocketSource {
  let socket: Socket | undefined;
  let opened = 0;
  return {
    open({ host, port, path }) {
      const [name, number] = [host[opened % host.length], port[opened % port.length]];
      opened += 1;
      socket = typeof path === 'string' ? connect(path) : connect({ host: name, port: Number(number) });
      // What postgres.js sets on its own: TLS checks the certificate against the name.
      return Object.assign(socket, { host: name, port: number });
    },
    current: () => socket,
  };
}
