import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { createAnswerWatch } from './answerWatch.ts';
import { databaseError, DatabaseError, isGone } from './errors.ts';
import { createSocketSource } from './socketSource.ts';

export type Transaction = PostgresJsDatabase;

export interface Connection {
  /** true: nothing may be sent any more */
  isLost(): boolean;
  /**
   * Runs `work` between begin and commit, or rolls back and throws what it threw. One at a time. `organizationId` is what
   * row-level security compares with, for this transaction; '' for no tenant.
   */
  transaction<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * For what only reads: writing fails (SQLSTATE 25006). Its statements stand each for itself, as they would see the rows in
   * a transaction too (read committed). The session stays this tenant's reader: whoever reads next as the same tenant sends
   * its statements and nothing else.
   */
  read<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Runs one statement that commits by itself. */
  statement<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface ConnectionOptions {
  url: string;
  connectTimeoutSeconds: number;
  /** session settings */
  settings: {
    application_name: string;
    idle_in_transaction_session_timeout: number;
    statement_timeout?: number;
    plan_cache_mode?: 'force_generic_plan';
  };
}

/**
 * Every statement of ours goes by an index; reading a whole table reads other tenants' rows. Postgres prepares the
 * checks of foreign keys once a connection, and those it prepared while a table held one page read all of it ever after.
 */
const PLANNING = { enable_seqscan: 'off' };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Row-level security compares with this setting (db/migrations/0001). One message with what else is set, which can carry no
 * parameters: throws for what is no uuid. '' stands for no tenant.
 */
function tenant(organizationId: string): string {
  if (organizationId !== '' && !UUID.test(organizationId)) {
    throw new Error(`${JSON.stringify(organizationId)} is no organization's id.`);
  }
  return `app.organization = '${organizationId}'`;
}

/** For one transaction, whatever the session is. */
const beginAs = (organizationId: string): string => `begin read write; set local ${tenant(organizationId)}`;

const readAs = (organizationId: string): string =>
  `set default_transaction_read_only = on; set ${tenant(organizationId)}`;

/** What a session is that nobody has read in. */
const NOBODY = `set default_transaction_read_only = off; set ${tenant('')}`;

/** Behind a statement's own timeout, by which Postgres answers in any case: for the way there and back. */
const MARGIN_MS = 1_000;
/** Settings, begin, commit and rollback wait for no lock: long enough for a disk that stalls. */
const ENDS_MS = 60_000;

/**
 * Opens one connection. It is never used again once it was lost, not even for a rollback, and a transaction that was
 * given up can send nothing more: postgres.js ends the process when it is asked to write to a connection that is gone
 * (its issues 1154 and 1208), and gives a late statement of one transaction to whoever has the connection then.
 * A peer that vanishes without a word (a host that lost its power or its way) is never told of by the system before a quarter
 * of an hour: a message that has no answer in time ends the connection. A statement without a timeout of its own may take as
 * long as it needs, and so is left to the system.
 * Throws DatabaseError where Postgres refuses, or is not there (SQLSTATE class 08).
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  let lost = false;
  let giveUp = (): void => {};
  const sockets = createSocketSource();
  const watch = createAnswerWatch(() => sockets.current()?.destroy());
  const { statement_timeout: statementTimeoutMs = Infinity } = options.settings;
  const statementMs = statementTimeoutMs + MARGIN_MS;
  const endsMs = Math.min(statementMs, ENDS_MS);
  /** It takes one (its README, Custom socket); its types do not know. */
  const ownSocket = { socket: sockets.open };
  const client = postgres(options.url, {
    ...ownSocket,
    max: 1,
    max_lifetime: null,
    connect_timeout: options.connectTimeoutSeconds,
    onnotice: () => {},
    onclose: () => {
      lost = true;
      // What its statements say themselves comes first: it tells more.
      setImmediate(giveUp);
    },
    connection: { ...options.settings, ...PLANNING },
  });
  const close = async (): Promise<void> => {
    await client.end({ timeout: 0 });
    // It waits for the peer's goodbye; the process need not.
    sockets.current()?.unref();
  };
  const reserved = await reserve(client).catch(async (error: unknown) => {
    await close();
    throw error;
  });

  /**
   * Ends with the connection, whatever `work` waits for: a statement that comes between the error of a socket and its
   * close is never answered by postgres.js (`closed` in its connection.js passes over it).
   */
  async function unlessGone<T>(work: () => Promise<T>): Promise<T> {
    if (lost) throw connectionLost();
    const gone = new Promise<never>((_resolve, reject) => {
      giveUp = () => reject(connectionLost());
    });
    try {
      return await Promise.race([work(), gone]);
    } finally {
      giveUp = () => {};
    }
  }

  /** Whose reader the session is; undefined: nobody's. */
  let reader: string | undefined;

  /**
   * Sent together with the statement that comes next. To be awaited behind it, before the connection is given back: a session
   * that did not become what it was to be is never used again.
   */
  function become(next: string | undefined): Promise<unknown> {
    if (reader === next) return Promise.resolve();
    const became = watch.sent(reserved.unsafe(next === undefined ? NOBODY : readAs(next)).execute(), endsMs);
    reader = next;
    became.catch(() => void (lost = true));
    return became;
  }

  /** What a transaction sends through; it closes with the transaction. */
  function createGate() {
    let open = true;
    const unsafe: typeof reserved.unsafe = (text, parameters, how) => {
      if (lost || !open) throw connectionLost();
      // Unprepared, a statement with parameters costs a round trip more, and is parsed and rewritten each time.
      return watch.sent(reserved.unsafe(text, parameters, { ...how, prepare: true }), statementMs);
    };
    const gate = new Proxy(reserved, {
      get: (target, name) =>
        name === 'unsafe' ? unsafe : name === 'options' ? client.options : Reflect.get(target, name),
    });
    return { tx: drizzle(gate), shut: () => void (open = false) };
  }

  async function transaction<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const { tx, shut } = createGate();
    /** Behind it nothing of `work` is sent any more: it would stand outside of the transaction. */
    const end = (how: 'commit' | 'rollback') => {
      shut();
      if (lost) throw connectionLost();
      return watch.sent(reserved.unsafe(how, [], { prepare: true }), endsMs);
    };
    try {
      // Sent together with the first statement of `work`, which fails when one of them does.
      const begun = watch.sent(reserved.unsafe(beginAs(organizationId)).execute(), endsMs);
      const result = await work(tx);
      await begun;
      const { command } = await end('commit');
      // A statement failed and `work` went on: Postgres answers `commit` with a rollback.
      if (command !== 'COMMIT')
        throw new DatabaseError('25P02', 'A statement of the transaction had failed.');
      return result;
    } catch (error) {
      if (saysLost(error)) lost = true;
      if (!lost) await end('rollback').catch(() => void (lost = true));
      throw error;
    } finally {
      shut();
    }
  }

  /** Statements that commit by themselves, in a session that is this tenant's reader or nobody's. */
  async function statements<T>(as: string | undefined, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const became = become(as);
    const { tx, shut } = createGate();
    try {
      const result = await work(tx);
      await became;
      return result;
    } catch (error) {
      if (saysLost(error)) lost = true;
      throw error;
    } finally {
      shut();
      await became.catch(() => {});
    }
  }

  return {
    isLost: () => lost,
    transaction: (organizationId, work) => unlessGone(() => transaction(organizationId, work)),
    read: (organizationId, work) => unlessGone(() => statements(organizationId, work)),
    statement: (work) => unlessGone(() => statements(undefined, work)),
    close,
  };
}

const connectionLost = () => new DatabaseError('08006', 'The connection to Postgres was lost.');

/**
 * Connects by a query, since a request for a connection would stay in the client's queue when it fails. A pooler of
 * transactions hands one session to many clients, and so one tenant's reader to another tenant: it cannot carry the
 * settings that a session begins with, which is how it is told.
 */
async function reserve(client: postgres.Sql): Promise<postgres.ReservedSql> {
  const [session] = await client<
    { seqscan: string }[]
  >`select current_setting('enable_seqscan') as seqscan`.catch((error: unknown) => {
    throw openingError(error);
  });
  if (session?.seqscan !== PLANNING.enable_seqscan) {
    throw new Error(
      'The connection to Postgres does not keep its settings. Connect to Postgres itself, or through a pooler that pools sessions.',
    );
  }
  return client.reserve();
}

/** Postgres' own refusal as it is; anything else as a connection that could not be had (08001: names, routes, files, TLS). */
const openingError = (error: unknown): DatabaseError =>
  databaseError(error) ?? new DatabaseError('08001', 'Postgres could not be connected to.', { cause: error });

/** Postgres says goodbye (restart, terminated by an administrator, idle for too long) before the socket closes. */
function saysLost(error: unknown): boolean {
  const cause = databaseError(error);
  return cause !== undefined && (isGone(cause) || cause.code === '25P03');
}
