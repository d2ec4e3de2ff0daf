import { ProtoWriter } from './proto-writer.ts';

const MAX_IDLE = 4;

/**
 * Where spans are encoded before they are copied into queues. While one span is on its way through redactors, tracestates
 * and diagnostics subscribers, code of the host runs, and may end another span, also another tenant's: so each span that
 * is under way has a writer to itself.
 */
export class ScratchWriters {
  readonly #idle: ProtoWriter[] = [];

  /** Empty; to be given back. */
  borrow(): ProtoWriter {
    return this.#idle.pop() ?? new ProtoWriter();
  }

  giveBack(writer: ProtoWriter): void {
    writer.reset();
    if (this.#idle.length < MAX_IDLE) this.#idle.push(writer);
  }
}
