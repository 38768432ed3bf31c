/**
 * V8's rooms of the worker's and the api's process (docs/decisions/room-for-buffers.md), in MB. What lives is far less than
 * 256; without a bound Node lets garbage grow with the machine.
 */
export const HEAP = ['--max-old-space-size=256', '--initial-old-space-size=128', '--max-semi-space-size=8'];
