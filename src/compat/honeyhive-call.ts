import { type Attributes, type Context, context as contextApi, type Span } from '@opentelemetry/api';
import { beginCall } from '../core/operations.ts';
import type { Tracer } from '../core/tracer.ts';
import { TracerBase } from '../core/tracer-base.ts';
import type { CallFailure, CallScope } from '../processing/call-scope.ts';
import { wrapFunction } from '../processing/wrap-function.ts';
import { describeError } from '../utils/errors.ts';
import { flattenValue } from './flatten-value.ts';
import { readFields } from './honeyhive-params.ts';
import { parameterNames } from './parameter-names.ts';

/** How the calls of a function are traced. */
export interface TraceFunctionOptions {
  /** `model`, `tool` or `chain`; anything else is left out. */
  readonly eventType?: string | undefined;
  /** How the function was set up; on each of its spans. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** Anything about it; on each of its spans. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Name of the span. Default: the function's, else `tool event` and so on. */
  readonly eventName?: string | undefined;
}

/** A function of any kind. Without a type for `this`, so that one that is written in place keeps its own. */
export type TracedFunction = (...args: never[]) => unknown;

/** Whoever calls belong to. */
export interface CallOwner {
  readonly tracer: Tracer;
}

const EVENT_TYPES: ReadonlySet<string> = new Set(['model', 'tool', 'chain']);
const MAX_ERROR_LENGTH = 8_192;
/** Attributes of one argument, and of all of them: a span has room for 1,024, and its result comes last. */
const MAX_INPUT = 256;
const MAX_INPUTS = 512;
/** Under which the running context knows whose calls it is in. */
const OWNER = Symbol('isotrace honeyhive');

/** Whose traced code is running: what the functions of this entry that name no tracer go by. */
export function ownerOf(context: Context): unknown {
  return context.getValue(OWNER);
}

/** Runs `fn` as code of `owner`, in the active context. */
export function runAs<T>(owner: CallOwner, fn: () => T): T {
  return contextApi.with(contextApi.active().setValue(OWNER, owner), fn);
}

/** Wraps functions so that each call is a span of whom `find` answers; of nobody, the function runs as if not wrapped. */
export function traceCalls(
  find: () => CallOwner | undefined,
  given: TraceFunctionOptions,
  eventType?: 'model' | 'tool' | 'chain',
): <F extends TracedFunction>(fn: F) => F {
  // What cannot be read is left out: there is nobody to tell yet.
  const read = readFields(given, () => undefined);
  const options = eventType === undefined ? read : { ...read, eventType };
  return (fn) => {
    if (typeof fn !== 'function') return fn;
    const name = options.eventName || nameOf(fn) || defaultName(options.eventType);
    const names = parameterNames(fn);
    return wrapFunction(fn, (_self, args) => {
      const owner = find();
      return owner && beginHoneyHiveCall(owner, name, options, names, args);
    });
  };
}

function nameOf(fn: TracedFunction): string {
  try {
    return typeof fn.name === 'string' ? fn.name : '';
  } catch {
    return '';
  }
}

export function defaultName(eventType: string | undefined): string {
  return eventType ? `${eventType} event` : 'event';
}

function beginHoneyHiveCall(
  owner: CallOwner,
  name: string,
  { config, eventType, metadata }: TraceFunctionOptions,
  names: readonly (string | undefined)[],
  args: readonly unknown[],
): CallScope {
  const type = typeof eventType === 'string' ? eventType.toLowerCase() : '';
  const attributes = (): Attributes => {
    const found: Attributes = {};
    let left = MAX_INPUTS;
    for (const [index, value] of args.entries()) {
      const input = flattenValue(
        `honeyhive_inputs._params_.${names[index] ?? index}`,
        value,
        Math.min(left, MAX_INPUT),
      );
      Object.assign(found, input);
      left -= Object.keys(input).length;
    }
    if (EVENT_TYPES.has(type)) found['honeyhive_event_type'] = type;
    if (config) Object.assign(found, flattenValue('honeyhive_config', config));
    if (metadata) Object.assign(found, flattenValue('honeyhive_metadata', metadata));
    return found;
  };
  const resultAttributes = (result: unknown): Attributes => flattenValue('honeyhive_outputs.result', result);
  const call = beginCall(TracerBase.runtimeOf(owner.tracer), name, { attributes, resultAttributes }, args);
  return new HoneyHiveCall(call, owner);
}

class HoneyHiveCall implements CallScope {
  readonly #call: CallScope;
  readonly #owner: CallOwner;
  readonly #span: Span | undefined;

  constructor(call: CallScope, owner: CallOwner) {
    this.#call = call;
    this.#owner = owner;
    this.#span = call.run(() => owner.tracer.activeSpan());
  }

  run<T>(fn: () => T): T {
    return this.#call.run(() => runAs(this.#owner, fn));
  }

  chunk(value: unknown): void {
    this.#call.chunk?.(value);
  }

  end(failure?: CallFailure, value?: unknown): void {
    if (failure !== undefined)
      this.#span?.setAttribute('honeyhive_error', describeError(failure.error, MAX_ERROR_LENGTH));
    this.#call.end(failure, value);
  }
}
