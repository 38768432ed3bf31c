import { expect, test, vi } from 'vitest';
import type { Connection } from '../../../db/connection.ts';
import { createPool } from '../../../db/pool.ts';

const connection: Connection = {
  isLost: () => false,
  transaction: async () => Promise.reject(new Error('nobody asks')),
  read: async () => Promise.reject(new Error('nobody asks')),
  statement: async () => Promise.reject(new Error('nobody asks')),
  close: async () => {},
};

const OVER = new Error('Nobody waits for it any more.');

test('who is not waited for any more leaves the queue, and what it wanted is never done', async () => {
  const pool = createPool(1, async () => connection);
  let end: (how: string) => void = () => {};
  const under = pool.use(() => new Promise<string>((resolve) => (end = resolve)));
  const done: string[] = [];
  const wants = (name: string, signal?: AbortSignal) => pool.use(async () => done.push(name), signal);
  const over = new AbortController();
  const abandoned = [wants('a', over.signal), wants('b', over.signal)];
  const patient = [wants('c'), wants('d', new AbortController().signal)];
  over.abort(OVER);
  // Nobody's work has ended: they leave by themselves.
  for (const one of abandoned) await expect(one).rejects.toBe(OVER);
  end('done');
  expect(await under).toBe('done');
  await Promise.all(patient);
  expect(done).toEqual(['c', 'd']);
  await pool.end();
});

test('who is not waited for any more when the connection is open does not use it; the next one does', async () => {
  let opened: (connection: Connection) => void = () => {};
  const open = vi.fn<() => Promise<Connection>>(() => new Promise((resolve) => (opened = resolve)));
  const pool = createPool(1, open);
  const over = new AbortController();
  const work = vi.fn<() => Promise<string>>(async () => 'done');
  const late = pool.use(work, over.signal);
  over.abort(OVER);
  opened(connection);
  await expect(late).rejects.toBe(OVER);
  await expect(pool.use(work, over.signal)).rejects.toBe(OVER);
  expect(work).not.toHaveBeenCalled();
  expect(await pool.use(work)).toBe('done');
  expect(open).toHaveBeenCalledTimes(1);
  await pool.end();
});
