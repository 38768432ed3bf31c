import type { Random } from '../model/random.ts';

/** The same items in an order that the random numbers decide (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last -= 1) {
    const chosen = random.below(last + 1);
    const [one, other] = [result[last], result[chosen]];
    if (one === undefined || other === undefined) continue;
    result[last] = other;
    result[chosen] = one;
  }
  return result;
}
