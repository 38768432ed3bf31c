import { Agent, request } from 'node:http';
import { countStatuses, openLoop, percentiles, type Sent } from '../openLoop.ts';
import type { ReadInput, ReadResult, Target } from './input.ts';

const TIMEOUT_MS = 10_000;

/** Asks at a steady rate over connections that are kept, routes mixed by their weights, always in the same order. */
export async function readAll({ url, targets, ...rate }: ReadInput, key: string): Promise<ReadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2_000, scheduling: 'lifo' });
  const deck = shuffled(targets);
  const targetOf = (number: number): Target | undefined => deck[number % deck.length];
  const turns = new Map<Target, number>();
  const pathOf = (target: Target): string => {
    const turn = turns.get(target) ?? 0;
    turns.set(target, turn + 1);
    return target.paths[turn % target.paths.length] ?? '/';
  };
  const beganMs = performance.now();
  const sent = await openLoop(rate, (number) => {
    const target = targetOf(number);
    return get(`${url}${target === undefined ? '/' : pathOf(target)}`, agent, key);
  });
  const seconds = (performance.now() - beganMs) / 1_000;
  agent.destroy();
  const figuresOf = (some: readonly Sent[]) => {
    const at = percentiles(some);
    return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  };
  const byTarget = targets.map((target) => [
    target.name,
    figuresOf(sent.filter(({ number }) => targetOf(number) === target)),
  ]);
  return {
    sent: sent.length,
    perSecond: sent.length / seconds,
    statuses: countStatuses(sent),
    ...figuresOf(sent),
    byTarget: Object.fromEntries(byTarget),
  };
}

/** Each target as often as it weighs, spread evenly. */
function shuffled(targets: readonly Target[]): Target[] {
  return targets
    .flatMap((target) =>
      Array.from({ length: target.weight }, (_, n) => ({ target, at: (n + 0.5) / target.weight })),
    )
    .toSorted((one, other) => one.at - other.at)
    .map(({ target }) => target);
}

/** The status of the answer, once all of it is there; 0: none came. */
function get(url: string, agent: Agent, key: string): Promise<number> {
  return new Promise((resolve) => {
    const asking = request(
      url,
      { agent, timeout: TIMEOUT_MS, headers: { Authorization: `Bearer ${key}` } },
      (answer) => {
        answer.resume();
        answer.once('end', () => resolve(answer.statusCode ?? 0));
        answer.once('error', () => resolve(0));
      },
    );
    asking.once('timeout', () => asking.destroy());
    asking.once('error', () => resolve(0));
    asking.end();
  });
}
