import { condition, setCurrentDetails } from '@temporalio/workflow';
import { stopImport } from '../messages.ts';
import type { Hand } from './hand.ts';

/** Asks the runs in hand to end and waits for them; one that does not answer in time is left to its own end. */
export async function stopHand(hand: Hand, importId: string): Promise<void> {
  setCurrentDetails('Cancelled: waits until the repositories in hand have stopped at their checkpoints.');
  await hand.tell(stopImport, { importId });
  const own = () => hand.list().some(({ joined }) => !joined);
  for (let waits = 0; waits < 12 && own(); waits += 1) {
    await condition(() => hand.hasNews(), '10 seconds', { summary: 'the repositories in hand are stopping' });
    await hand.settle();
  }
}
