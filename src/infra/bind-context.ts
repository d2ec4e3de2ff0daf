import type { EventEmitter } from 'node:events';
import { type Context, context as contextApi } from '@opentelemetry/api';

type EventName = string | symbol;
type Listener = (this: unknown, ...args: unknown[]) => unknown;
type Method = (...args: unknown[]) => unknown;

/** A listener as a bound emitter holds it. Node calls the one that was added its `listener`, and finds it by that. */
interface BoundListener extends Listener {
  listener: Listener;
}

/** The function, except that it always runs in `context`; with its own `this`, `name` and `length`. */
export function bindFunction<F extends (...args: never[]) => unknown>(context: Context, fn: F): F {
  const bound = function (this: unknown, ...args: unknown[]): unknown {
    return contextApi.with(context, fn as unknown as Listener, this, ...args);
  };
  for (const key of ['name', 'length']) {
    const descriptor = Reflect.getOwnPropertyDescriptor(fn, key);
    if (descriptor !== undefined) Reflect.defineProperty(bound, key, descriptor);
  }
  return bound as unknown as F;
}

/**
 * Runs the listeners that are added to an emitter from now on in `context`. Binding it again changes the context of
 * those that are added later, unlike OpenTelemetry's `bind`, under which an emitter stays with whoever came first.
 *
 * @throws TypeError when the emitter takes no properties
 */
export function bindEmitter<E extends EventEmitter>(context: Context, emitter: E): E {
  const target = emitter as E & { [BINDING]?: EmitterBinding };
  const binding = Object.hasOwn(target, BINDING) ? target[BINDING] : undefined;
  if (binding === undefined) install(target, new EmitterBinding(context));
  else binding.context = context;
  return emitter;
}

const BINDING = Symbol('isotrace.binding');
const IS_BOUND = Symbol('isotrace.bound');

/** What an emitter is bound to at the moment, and the listeners that it was given since it was first bound. */
class EmitterBinding {
  context: Context;
  readonly #bound = new Map<EventName, Map<Listener, BoundListener[]>>();

  constructor(context: Context) {
    this.context = context;
  }

  add(event: EventName, listener: unknown, before?: (self: BoundListener) => void): unknown {
    // An emitter may add through another of its own methods; what is no function, Node itself refuses.
    if (typeof listener !== 'function' || isBound(listener)) return listener;
    const { context } = this;
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      before?.(bound);
      return contextApi.with(context, listener as Listener, this, ...args);
    } as BoundListener;
    bound.listener = listener as Listener;
    Reflect.defineProperty(bound, IS_BOUND, { value: true });
    const ofEvent = this.#bound.get(event) ?? new Map<Listener, BoundListener[]>();
    this.#bound.set(event, ofEvent);
    ofEvent.set(bound.listener, [...(ofEvent.get(bound.listener) ?? []), bound]);
    return bound;
  }

  /** What the emitter holds in place of a listener: of several, the one that came last, which Node removes first. */
  take(event: EventName, listener: Listener): Listener {
    const bound = isBound(listener) ? listener : this.#bound.get(event)?.get(listener)?.at(-1);
    return bound === undefined ? listener : this.forget(event, bound);
  }

  forget(event: EventName, bound: BoundListener): Listener {
    const ofEvent = this.#bound.get(event);
    const others = ofEvent?.get(bound.listener)?.filter((other) => other !== bound) ?? [];
    if (others.length > 0) ofEvent?.set(bound.listener, others);
    else ofEvent?.delete(bound.listener);
    if (ofEvent?.size === 0) this.#bound.delete(event);
    return bound;
  }

  clear(event?: EventName): void {
    if (event === undefined) this.#bound.clear();
    else this.#bound.delete(event);
  }
}

function isBound(listener: object): listener is BoundListener {
  return Object.hasOwn(listener, IS_BOUND);
}

function install(emitter: object, binding: EmitterBinding): void {
  define(emitter, BINDING, binding);
  const { on, prependListener, removeListener } = emitter as Record<string, Method>;
  for (const name of ['on', 'addListener', 'prependListener']) {
    replace(emitter, name, (add, [event, listener]) => add(event, binding.add(event as EventName, listener)));
  }
  const once = (name: string, add: Method | undefined): void => {
    if (add === undefined || removeListener === undefined) return;
    // Node's own `once` would add a wrapper of its own, which could then not be removed by either name.
    replace(emitter, name, (_, [event, listener], self) => {
      const leave = (bound: BoundListener): unknown =>
        Reflect.apply(removeListener, self, [event, binding.forget(event as EventName, bound)]);
      return Reflect.apply(add, self, [event, binding.add(event as EventName, listener, leave)]);
    });
  };
  once('once', on);
  once('prependOnceListener', prependListener);
  for (const name of ['off', 'removeListener']) {
    replace(emitter, name, (remove, [event, listener]) => {
      return remove(
        event,
        typeof listener === 'function' ? binding.take(event as EventName, listener as Listener) : listener,
      );
    });
  }
  replace(emitter, 'removeAllListeners', (removeAll, args) => {
    binding.clear(...(args as [EventName?]));
    return removeAll(...args);
  });
}

type Replacement = (original: Method, args: unknown[], self: unknown) => unknown;

function replace(target: object, name: string, replacement: Replacement): void {
  const original = (target as Record<string, unknown>)[name];
  if (typeof original !== 'function') return;
  define(target, name, function (this: unknown, ...args: unknown[]): unknown {
    return replacement((...given) => Reflect.apply(original, this, given) as unknown, args, this);
  });
}

function define(target: object, key: PropertyKey, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: false, configurable: true });
}
