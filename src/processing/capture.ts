import { types } from 'node:util';
import type { Attributes, Span } from '@opentelemetry/api';
import type { Clock } from '../utils/clock.ts';
import type { Guard } from '../utils/guard.ts';
import type { CallFailure, CallScope } from './call-scope.ts';
import { serializeValue } from './serialize-value.ts';
import type { SpanLimitSettings } from './span-host.ts';

/** What of the calls of wrapped functions is recorded beside their time: as JSON, bounded, and redacted like any attribute. */
export interface CaptureOptions {
  /**
   * The arguments, in `isotrace.arguments`: all as a list with `true`, or what a function of them answers. `undefined`
   * is left out. Default: `false`.
   */
  arguments?: boolean | CaptureArguments | undefined;
  /**
   * What the call came to, in `isotrace.result`: with `true` as it is, or what a function of it answers. `undefined` is
   * left out. Of a generator, iterator or stream it is what `aggregate` makes of it. Default: `false`.
   */
  result?: boolean | CaptureResult | undefined;
  /**
   * Makes one result of what a generator, iterator or stream yielded. Of more than 10,000 values, and of texts and bytes
   * of more than 1 MiB, it gets the first ones and the last. Default: texts and bytes are joined, the rest is a list.
   */
  aggregate?: CaptureAggregate | undefined;
  /** Longest JSON of one attribute in bytes, never more than `limits.attributeValueLengthLimit`. 64 to 1,048,576. Default: 8,192. */
  maxBytes?: number | undefined;
  /** How deep objects inside objects are shown. 1 to 32. Default: 8. */
  maxDepth?: number | undefined;
}

/** What is recorded of a call's arguments. */
export type CaptureArguments = (...args: never[]) => unknown;
/** What is recorded of a call's result. */
export type CaptureResult = (result: never) => unknown;
/** What is recorded of the values that a generator or stream has yielded. */
export type CaptureAggregate = (values: readonly never[]) => unknown;

/** {@link CaptureOptions} complete. */
export interface CaptureSettings {
  readonly arguments: boolean | CaptureArguments;
  readonly result: boolean | CaptureResult;
  readonly aggregate: CaptureAggregate | undefined;
  readonly maxBytes: number;
  readonly maxDepth: number;
}

export const ARGUMENTS_KEY = 'isotrace.arguments';
export const RESULT_KEY = 'isotrace.result';

export const MIN_CAPTURE_BYTES = 64;
export const MAX_CAPTURE_BYTES = 1_048_576;
export const MAX_CAPTURE_DEPTH = 32;
const MAX_CHUNKS = 10_000;
const MAX_CHUNK_BYTES = 1_048_576;

/** Of one call, over those of its tenant; `undefined` when nothing is recorded. */
export function resolveCapture(
  own: boolean | CaptureOptions | undefined,
  tenant: CaptureSettings,
): CaptureSettings | undefined {
  const settings = own === undefined ? tenant : overlay(own, tenant);
  return settings.arguments === false && settings.result === false ? undefined : settings;
}

function overlay(own: boolean | CaptureOptions, tenant: CaptureSettings): CaptureSettings {
  if (typeof own === 'boolean') return { ...tenant, arguments: own, result: own };
  return {
    arguments: own.arguments ?? tenant.arguments,
    result: own.result ?? tenant.result,
    aggregate: own.aggregate ?? tenant.aggregate,
    maxBytes: own.maxBytes ?? tenant.maxBytes,
    maxDepth: own.maxDepth ?? tenant.maxDepth,
  };
}

/** A copy of what a call's own option says; what is not acceptable counts as not given. May throw what the value throws. */
export function copyCapture(given: unknown): boolean | CaptureOptions | undefined {
  if (typeof given === 'boolean') return given;
  if (typeof given !== 'object' || given === null) return undefined;
  const { arguments: args, result, aggregate, maxBytes, maxDepth } = given as CaptureOptions;
  return {
    arguments: switchOrFunction(args),
    result: switchOrFunction(result),
    aggregate: typeof aggregate === 'function' ? aggregate : undefined,
    maxBytes: wholeWithin(maxBytes, MIN_CAPTURE_BYTES, MAX_CAPTURE_BYTES),
    maxDepth: wholeWithin(maxDepth, 1, MAX_CAPTURE_DEPTH),
  };
}

function switchOrFunction<T>(value: T): T | undefined {
  return typeof value === 'boolean' || typeof value === 'function' ? value : undefined;
}

function wholeWithin(value: number | undefined, min: number, max: number): number | undefined {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max ? value : undefined;
}

/** What recording values needs of the tracer. */
export interface CaptureHost {
  readonly guard: Guard;
  readonly clock: Clock;
  readonly spanLimits: SpanLimitSettings;
}

export interface CapturedCall {
  readonly capture: CaptureSettings | undefined;
  readonly resultAttributes: ((result: never) => Attributes | undefined) | undefined;
  readonly args: readonly unknown[];
}

/** A call whose arguments, or what it comes to, are recorded on its span. Failures of the user's functions stay here. */
export class CapturingCall implements CallScope {
  readonly #call: CallScope;
  readonly #span: Span;
  readonly #host: CaptureHost;
  readonly #captured: CapturedCall;
  readonly #chunks: unknown[] = [];
  #chunkBytes = 0;

  constructor(call: CallScope, span: Span, host: CaptureHost, captured: CapturedCall) {
    this.#call = call;
    this.#span = span;
    this.#host = host;
    this.#captured = captured;
    const { args, capture } = captured;
    // Before the function can change them.
    if (capture !== undefined && capture.arguments !== false) {
      const choose = capture.arguments;
      this.#record(ARGUMENTS_KEY, capture, () => (choose === true ? args : Reflect.apply(choose, undefined, args)));
    }
  }

  run<T>(fn: () => T): T {
    return this.#call.run(fn);
  }

  chunk(value: unknown): void {
    const size = typeof value === 'string' ? value.length : ArrayBuffer.isView(value) ? value.byteLength : 0;
    const isFull = this.#chunks.length >= MAX_CHUNKS || this.#chunkBytes + size > MAX_CHUNK_BYTES;
    // The last one may hold the summary of a stream, such as its usage.
    if (isFull && this.#chunks.length > 0) this.#chunks[this.#chunks.length - 1] = value;
    else {
      this.#chunks.push(value);
      this.#chunkBytes += size;
    }
  }

  end(failure?: CallFailure, value?: unknown): void {
    if (failure === undefined) this.#recordResult(value);
    this.#call.end(failure);
  }

  #recordResult(value: unknown): void {
    const { capture, resultAttributes } = this.#captured;
    const { guard } = this.#host;
    if (resultAttributes !== undefined) {
      const result = this.#chunks.length > 0 ? this.#chunks : value;
      guard.run('host', 'resultAttributes', () => this.#setAll(resultAttributes(result as never)), undefined);
    }
    if (capture === undefined || capture.result === false) return;
    const choose = capture.result;
    this.#record(RESULT_KEY, capture, () => {
      const result = this.#chunks.length > 0 ? this.#aggregate(capture) : value;
      return choose === true ? result : choose(result as never);
    });
  }

  #setAll(attributes: Attributes | undefined): void {
    this.#quiet(attributes);
    if (typeof attributes === 'object' && attributes !== null) this.#span.setAttributes(attributes);
  }

  /** A promise that a function of the user's answers is none of the host's: its rejection must not end the process. */
  #quiet(answer: unknown): void {
    if (types.isPromise(answer)) answer.catch((error: unknown) => this.#host.guard.report('host', 'capture', error));
  }

  #aggregate({ aggregate }: CaptureSettings): unknown {
    if (aggregate !== undefined) return aggregate(this.#chunks as never);
    if (this.#chunks.every((chunk) => typeof chunk === 'string')) return this.#chunks.join('');
    if (this.#chunks.every((chunk) => chunk instanceof Uint8Array)) return Buffer.concat(this.#chunks).toString();
    return this.#chunks;
  }

  #record(key: string, { maxBytes, maxDepth }: CaptureSettings, read: () => unknown): void {
    const { guard, clock, spanLimits } = this.#host;
    guard.run(
      'host',
      'capture',
      () => {
        const value = read();
        if (value === undefined) return;
        this.#quiet(value);
        const room = Math.min(maxBytes, spanLimits.attributeValueLengthLimit);
        this.#span.setAttribute(key, serializeValue(value, { maxBytes: room, maxDepth }, clock));
      },
      undefined,
    );
  }
}
