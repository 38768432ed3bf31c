export interface ServerSentEvent {
  id?: string;
  event?: string;
  data?: string;
}

/** The events of a stream as text. */
export function parseEvents(text: string): ServerSentEvent[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '' && !block.startsWith(':'))
    .map((block) =>
      Object.fromEntries(
        block.split('\n').map((line) => {
          const colon = line.indexOf(': ');
          return [line.slice(0, colon), line.slice(colon + 2)];
        }),
      ),
    );
}

/**
 * Reads an event stream until what has come is enough, or it ends, and breaks off. null: nothing comes any more (204).
 */
export async function readEvents(
  url: string,
  options: { key: string; last?: string; until?: (events: ServerSentEvent[]) => boolean },
): Promise<ServerSentEvent[] | null> {
  const { key, last = '', until = () => false } = options;
  const abort = new AbortController();
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${key}`, ...(last === '' ? {} : { 'last-event-id': last }) },
    signal: abort.signal,
  });
  if (answer.status === 204) return null;
  if (answer.status !== 200 || answer.body === null) throw new Error(`the stream answered ${answer.status}`);
  const decoder = new TextDecoder();
  let text = '';
  const whole = (): ServerSentEvent[] => parseEvents(text.slice(0, text.lastIndexOf('\n\n') + 2));
  for await (const chunk of answer.body) {
    text += decoder.decode(chunk, { stream: true });
    if (until(whole())) break;
  }
  abort.abort();
  return whole();
}

/**
 * Reads ids from an event stream until there are `most` or it ends, and breaks off. null: nothing comes any more (204).
 */
export async function importEvents(
  url: string,
  { key, last, most }: { key: string; last: string; most: number },
): Promise<string[] | null> {
  const idsOf = (events: ServerSentEvent[]): string[] =>
    events.flatMap(({ id }) => (id === undefined ? [] : [id]));
  const events = await readEvents(url, { key, last, until: (so) => idsOf(so).length >= most });
  return events === null ? null : idsOf(events).slice(0, most);
}
