import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { untraced } from '../infra/untraced.ts';
import type { Guard } from '../utils/guard.ts';

/** The user's objects in a tracer's settings that have to be shut down some day. */
export interface LeasedHooks {
  readonly spanProcessors: readonly SpanProcessor[];
  readonly exporter: SpanExporter | undefined;
}

type Hook = SpanProcessor | SpanExporter;

/** Objects that no tenant uses at the moment and that are not shut down yet. */
const MAX_RESTING = 256;

/**
 * Who uses which of the user's processors and exporters. `configure` may make new ones for each tenant, or give the same
 * ones to many tenants, or to a tenant that was evicted and comes back; nobody can tell beforehand. So what nobody uses
 * any more is flushed and rests: it is shut down with the registry, or when too many others rest.
 */
export class HookLeases {
  readonly #guard: Guard;
  readonly #users = new Map<Hook, number>();
  readonly #resting = new Set<Hook>();
  readonly #ended = new WeakSet<Hook>();
  readonly #ending = new Set<Promise<void>>();

  constructor(guard: Guard) {
    this.#guard = guard;
  }

  take(hooks: LeasedHooks): void {
    for (const hook of hooksOf(hooks)) {
      this.#resting.delete(hook);
      this.#users.set(hook, (this.#users.get(hook) ?? 0) + 1);
      if (this.#ended.has(hook)) this.#guard.report(componentOf(hook), 'shutdown', 'was shut down and is in use again');
    }
  }

  /** Gives back what was taken. Resolves when what nobody uses any more is flushed; never rejects, may never resolve. */
  async giveBack(hooks: LeasedHooks): Promise<void> {
    const unused = hooksOf(hooks).filter((hook) => this.#leave(hook));
    for (const hook of unused) this.#rest(hook);
    await Promise.all(unused.map((hook) => this.#call(hook, 'forceFlush')));
  }

  /** Shuts everything down. Resolves when that is done; never rejects, may never resolve. */
  async close(): Promise<void> {
    for (const hook of [...this.#users.keys(), ...this.#resting]) this.#end(hook);
    this.#users.clear();
    this.#resting.clear();
    await Promise.all(this.#ending);
  }

  /** Whether that was its last user. */
  #leave(hook: Hook): boolean {
    const users = (this.#users.get(hook) ?? 0) - 1;
    if (users > 0) this.#users.set(hook, users);
    else this.#users.delete(hook);
    return users === 0;
  }

  #rest(hook: Hook): void {
    this.#resting.add(hook);
    const [longest] = this.#resting;
    if (this.#resting.size <= MAX_RESTING || longest === undefined) return;
    this.#resting.delete(longest);
    this.#end(longest);
  }

  #end(hook: Hook): void {
    this.#ended.add(hook);
    const ending = this.#call(hook, 'shutdown');
    this.#ending.add(ending);
    void ending.then(() => this.#ending.delete(ending));
  }

  async #call(hook: Hook, operation: 'forceFlush' | 'shutdown'): Promise<void> {
    try {
      await untraced(() => hook[operation]?.());
    } catch (error) {
      this.#guard.report(componentOf(hook), operation, error);
    }
  }
}

function hooksOf({ spanProcessors, exporter }: LeasedHooks): readonly Hook[] {
  return exporter === undefined ? spanProcessors : [...spanProcessors, exporter];
}

function componentOf(hook: Hook): 'processor' | 'exporter' {
  return 'export' in hook ? 'exporter' : 'processor';
}
