import { readFile, writeFile } from 'node:fs/promises';

/** The most memory a process had since it began, or since `resetPeak`, in MB (Linux: `VmHWM`). */
export async function peakMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`The peak memory of process ${pid} cannot be read.`);
  return Number(kilobytes) / 1_024;
}

/** Lets the peak begin again from what the process has now. */
export async function resetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}
