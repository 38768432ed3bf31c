import { createTcpProxy } from './tcpProxy.ts';

/** What processes asked Postgres for, as their own wire shows it. */
export interface Asked {
  /** each statement that was executed, in its own words; one text of several commands counts as one */
  statements: string[];
  /** how often somebody waited until Postgres was ready again, at most: what was sent together counts each */
  waits: number;
}

/** A wire to Postgres on which a test counts. */
export interface StatementTap {
  /** The same URL, by this wire. */
  url: string;
  /** What was asked since the last call. */
  take(): Asked;
  close(): Promise<void>;
}

/** Stands between a process and the Postgres of this URL, which must not be encrypted. */
export async function createStatementTap(url: string): Promise<StatementTap> {
  let asked: Asked = { statements: [], waits: 0 };
  const proxy = await createTcpProxy(new URL(url).host, () => listenTo(() => asked));
  const own = new URL(url);
  own.host = proxy.address;
  return {
    url: own.href,
    take() {
      const taken = asked;
      asked = { statements: [], waits: 0 };
      return taken;
    },
    close: () => proxy.close(),
  };
}

/** Begins with a message without a type (https://www.postgresql.org/docs/18/protocol-message-formats.html). */
function listenTo(asked: () => Asked): (sent: Buffer) => void {
  const prepared = new Map<string, string>();
  let rest: Buffer = Buffer.alloc(0);
  let isFirst = true;
  let bound = '';

  function hear(type: string, body: Buffer): void {
    const [first = '', second = ''] = body.toString().split('\0', 2);
    // Parse: name, text. Bind: portal, name of the statement. The driver executes what it bound last.
    if (type === 'P') prepared.set(first, second);
    if (type === 'B') bound = prepared.get(second) ?? second;
    if (type === 'E') asked().statements.push(bound);
    if (type === 'Q') asked().statements.push(first);
    if (type === 'S' || type === 'Q') asked().waits += 1;
  }

  return (sent) => {
    rest = Buffer.concat([rest, sent]);
    for (;;) {
      const typeBytes = isFirst ? 0 : 1;
      if (rest.length < typeBytes + 4) return;
      const end = typeBytes + rest.readUInt32BE(typeBytes);
      if (rest.length < end) return;
      if (!isFirst) hear(String.fromCharCode(rest[0] ?? 0), rest.subarray(5, end));
      isFirst = false;
      rest = rest.subarray(end);
    }
  };
}
