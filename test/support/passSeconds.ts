import { vi } from 'vitest';

/** So long as a chunk of work believes what it has read of its integration. `vi.restoreAllMocks()` sets the clock right again. */
export function passSeconds(): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 2_100);
}
