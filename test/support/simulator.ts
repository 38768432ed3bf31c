import type { SimulatorOptions } from '../../simulator/options.ts';
import * as simulator from '../../simulator/simulator.ts';

export type { Simulator } from '../../simulator/simulator.ts';

/** A simulator inside the test's own process, with the git of this machine and the repositories that all tests share. */
export function createSimulator(options: Partial<SimulatorOptions> = {}): Promise<simulator.Simulator> {
  const gitCache = process.env['SIMULATOR_GIT_CACHE'];
  return simulator.createSimulator({
    path: process.env['PATH'] ?? '',
    ...(gitCache === undefined ? {} : { gitCache }),
    ...options,
  });
}
