import type { Socket } from 'node:net';

/**
 * Reads the line that says which stream of which order a connection is; what stands behind it is the stream's own. One that
 * ends before has nothing to say, and is closed.
 */
export function readGreeting(socket: Socket, onGreeting: (id: number, descriptor: number) => void): void {
  let line = Buffer.alloc(0);
  const abandon = (): void => void socket.destroy();
  const read = (): void => {
    const piece: Buffer | null = socket.read();
    if (piece === null) return;
    line = Buffer.concat([line, piece]);
    const end = line.indexOf('\n');
    if (end === -1) return;
    socket.off('readable', read);
    socket.off('end', abandon);
    if (end + 1 < line.length) socket.unshift(line.subarray(end + 1));
    const [id, descriptor] = line.toString('latin1', 0, end).split(' ').map(Number);
    onGreeting(id ?? 0, descriptor ?? 0);
  };
  socket.once('end', abandon);
  socket.on('readable', read);
}
