import type { Context } from '@opentelemetry/api';
import type { ReadableSpan, Span as SdkSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Guard, HookSwitch } from '../utils/guard.ts';
import type { AgentWatch } from './agent-watch.ts';
import type { RecordingSpan } from './span.ts';

interface HookedProcessor {
  readonly processor: SpanProcessor;
  readonly hook: HookSwitch;
}

/**
 * A tenant's OpenTelemetry span processors, each behind its own switch: one that throws does not keep the others
 * from running, and one that throws again and again is left out.
 */
export class SpanHooks {
  readonly #processors: readonly HookedProcessor[];

  /** @param own a processor of our own, which sees what the others left */
  constructor(processors: readonly SpanProcessor[], guard: Guard, own?: AgentWatch) {
    const hooked = processors.map((processor, index): HookedProcessor => {
      return { processor, hook: guard.hook('processor', `spanProcessors[${index}]`) };
    });
    if (own !== undefined) {
      hooked.push({ processor: own as unknown as SpanProcessor, hook: guard.hook('processor', 'agents') });
    }
    this.#processors = hooked;
  }

  get empty(): boolean {
    return this.#processors.length === 0;
  }

  // RecordingSpan has all that OpenTelemetry's span type asks for; the casts bridge the two lines of the SDK, whose
  // declarations differ in optional fields.
  started(span: RecordingSpan, parent: Context): void {
    for (const { processor, hook } of this.#processors) {
      hook.run(() => processor.onStart(span as unknown as SdkSpan, parent), undefined);
    }
  }

  ending(span: RecordingSpan): void {
    for (const { processor, hook } of this.#processors) {
      hook.run(() => processor.onEnding?.(span as unknown as SdkSpan), undefined);
    }
  }

  ended(span: RecordingSpan): void {
    for (const { processor, hook } of this.#processors) {
      hook.run(() => processor.onEnd(span as unknown as ReadableSpan), undefined);
    }
  }

  /** Never rejects. */
  async flush(): Promise<void> {
    await this.#each((processor, hook) => (hook.on ? processor.forceFlush() : undefined));
  }

  /** Never rejects. Also those that are switched off have resources to let go. */
  async shutdown(): Promise<void> {
    await this.#each((processor) => processor.shutdown());
  }

  async #each(call: (processor: SpanProcessor, hook: HookSwitch) => Promise<void> | undefined): Promise<void> {
    await Promise.all(
      this.#processors.map(async ({ processor, hook }) => {
        try {
          await call(processor, hook);
        } catch (error) {
          hook.failed(error);
        }
      }),
    );
  }
}
