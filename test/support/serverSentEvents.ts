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
 * Reads ids from an event stream until there are `most` or it ends, and breaks off. null: nothing comes any more (204).
 */
export async function importEvents(
  url: string,
  { key, last, most }: { key: string; last: string; most: number },
): Promise<string[] | null> {
  const abort = new AbortController();
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${key}`, ...(last === '' ? {} : { 'last-event-id': last }) },
    signal: abort.signal,
  });
  if (answer.status === 204) return null;
  if (answer.status !== 200 || answer.body === null) throw new Error(`the stream answered ${answer.status}`);
  const decoder = new TextDecoder();
  let text = '';
  const ids = (): string[] =>
    parseEvents(text.slice(0, text.lastIndexOf('\n\n') + 2)).flatMap(({ id }) =>
      id === undefined ? [] : [id],
    );
  for await (const chunk of answer.body) {
    text += decoder.decode(chunk, { stream: true });
    if (ids().length >= most) break;
  }
  abort.abort();
  return ids().slice(0, most);
}
