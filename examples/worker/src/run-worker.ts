import { once } from 'node:events';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { captureScope, receiveSpans, type SerializedScope } from 'isotrace/workers';
import { registry } from './telemetry.ts';

/** What a thread is given. */
export interface Counting {
  readonly scope: SerializedScope | undefined;
  readonly text: string;
  readonly spans: MessagePort;
  readonly result: MessagePort;
}

/** Counts the words of a document in a thread of its own, as a part of the tenant's running trace. */
export async function countWords(tenantId: string, text: string): Promise<number> {
  const spans = new MessageChannel();
  const result = new MessageChannel();
  const counting: Counting = {
    scope: captureScope(registry.get(tenantId)),
    text,
    spans: spans.port2,
    result: result.port2,
  };
  // The tenant is said here; the thread cannot name another.
  receiveSpans(registry, tenantId, spans.port1);
  const worker = new Worker(new URL('count-words.js', import.meta.url), {
    workerData: counting,
    transferList: [spans.port2, result.port2],
  });
  const [[words]] = await Promise.all([once(result.port1, 'message'), once(worker, 'exit')]);
  return words as number;
}
