/** One server-sent event (WHATWG HTML, section 9.2). */
export interface StreamEvent {
  readonly id: string | undefined;
  readonly name: string;
  readonly data: string;
}

/** No event of ours is longer; more than that is not what we speak to. */
const MAX_EVENT_CHARACTERS = 16 * 1_048_576;

/** The events of a response's body, until it ends or the signal is aborted. Throws when it is not such a stream. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent, void> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  // The signal that `fetch` was given is forgotten by Node 20 once garbage was collected.
  const stop = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener('abort', stop, { once: true });
  let pending = '';
  try {
    while (!signal.aborted) {
      const { done, value } = await reader.read();
      if (done) return;
      pending += decoder.decode(value, { stream: true });
      if (pending.length > MAX_EVENT_CHARACTERS) throw new Error('an event is too long');
      const blocks = pending.split(/\r?\n\r?\n/);
      pending = blocks.pop() as string;
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** `undefined` for a block that is only comments, or has no data. */
function parseEvent(block: string): StreamEvent | undefined {
  let id: string | undefined;
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'id') id = value;
    else if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { id, name, data: data.join('\n') };
}
