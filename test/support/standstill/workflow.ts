/** Stands still within a microtask, where the code of workflows runs, as a machine does that is stopped and goes on. */
export async function standStill(ms: number): Promise<string> {
  await Promise.resolve();
  return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
