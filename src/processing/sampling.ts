import { types } from 'node:util';
import type { Attributes, Context, Link, SpanKind, TraceState } from '@opentelemetry/api';
import { TraceFlags } from '@opentelemetry/api';
import type { Sampler, SamplingResult } from '@opentelemetry/sdk-trace';
import type { HookSwitch } from '../utils/guard.ts';
import { traceIdRandomness } from '../utils/ids.ts';
import { AttributeMap } from './attribute-map.ts';
import type { TailRules } from './local-trace.ts';
import type { HeldContext } from './span-identity.ts';
import type { TokenBucket } from './token-bucket.ts';

export interface SamplingVerdict {
  readonly record: boolean;
  readonly sampled: boolean;
  readonly attributes?: Readonly<Attributes> | undefined;
  /** Replaces the parent's trace state when given. */
  readonly traceState?: TraceState | undefined;
  /** Of a local root only, which is recorded: this is not the last word on its trace. */
  readonly open?: TailRules | 'unconfigured' | undefined;
}

const SAMPLED: SamplingVerdict = { record: true, sampled: true };
const DROPPED: SamplingVerdict = { record: false, sampled: false };
/** Of spans whose trace is decided later; flagged as what started their trace was. */
const TENTATIVE: SamplingVerdict = { record: true, sampled: false };
const UNCONFIGURED: SamplingVerdict = { ...SAMPLED, open: 'unconfigured' };
const UNCONFIGURED_UNSAMPLED: SamplingVerdict = { ...TENTATIVE, open: 'unconfigured' };

/** `SamplingDecision` of OpenTelemetry's sampler contract; the SDK is loaded by users of it only. */
const DECISION = { NOT_RECORD: 0, RECORD: 1, RECORD_AND_SAMPLED: 2 } as const;

/** What a sampler of the user's gets to see of a span. */
const MAX_ATTRIBUTES = 128;
const MAX_VALUE_LENGTH = 8_192;
const MAX_LINKS = 128;

/** What is known of a span that is about to start; as the host gave it. */
export interface SpanRequest {
  readonly context: Context;
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: unknown;
  readonly links: readonly Link[] | undefined;
}

/** Decides whether a span is recorded and exported. `parent` is the tenant's own, or a remote one it continues. */
export interface SpanSampler {
  (parent: HeldContext | undefined, traceId: string, request: SpanRequest): SamplingVerdict;
  /** What the parent alone decides, which spares telling of the span; `undefined` when it takes more than that. */
  readonly early?: (parent: HeldContext | undefined) => SamplingVerdict | undefined;
}

/**
 * Keeps a share of traces: a child follows its parent within the tenant, a root is decided by its trace id, so that
 * every process of a trace decides alike. The highest random numbers are kept, as in OpenTelemetry's consistent
 * probability sampling.
 */
export function createRatioSampler(ratio: number, parentBased = true): SpanSampler {
  const early = (parent: HeldContext | undefined): SamplingVerdict | undefined => {
    if (parent !== undefined && parentBased) return (parent.traceFlags & TraceFlags.SAMPLED) === 0 ? DROPPED : SAMPLED;
    return ratio >= 1 ? SAMPLED : undefined;
  };
  const decide: SpanSampler = (parent, traceId) => early(parent) ?? (isInRatio(traceId, ratio) ? SAMPLED : DROPPED);
  return Object.assign(decide, { early });
}

export interface SamplingRules {
  readonly ratio: number;
  /** Whether a local root follows its remote parent. */
  readonly parentBased: boolean;
  /** Recorded spans take its tokens; a local root without a remote parent is kept only while there is one. */
  readonly rate: TokenBucket | undefined;
  /** What local roots that are turned away wait for. */
  readonly tail: TailRules | undefined;
}

/** What nearly all tenants have. */
const EVERY_TRACE = createRatioSampler(1);

/** As the ratio sampler, with more rules. They are for whole local traces: below a local root spans follow their parent. */
export function createRuleSampler({ ratio, parentBased, rate, tail }: SamplingRules): SpanSampler {
  if (rate === undefined && tail === undefined) {
    return ratio >= 1 && parentBased ? EVERY_TRACE : createRatioSampler(ratio, parentBased);
  }
  const turnedAway = tail === undefined ? DROPPED : { ...TENTATIVE, open: tail };
  return (parent, traceId) => {
    const follows = parent !== undefined && (parentBased || !parent.isRemote);
    if (follows && !isSampled(parent)) return parent.isRemote ? turnedAway : DROPPED;
    if (follows) rate?.charge();
    else if (!isInRatio(traceId, ratio) || rate?.take() === false) return turnedAway;
    return SAMPLED;
  };
}

/** Records every local root until the tenant's own sampler can be asked about it. */
export const unconfiguredSampler: SpanSampler = (parent) => {
  if (parent === undefined) return UNCONFIGURED;
  if (parent.isRemote) return isSampled(parent) ? UNCONFIGURED : UNCONFIGURED_UNSAMPLED;
  return isSampled(parent) ? SAMPLED : DROPPED;
};

/** What becomes of a span in a trace that is decided later, or was: its flag follows its parent. */
export function followTrace(trace: { readonly isLost: boolean }, parent: HeldContext): SamplingVerdict {
  if (trace.isLost) return DROPPED;
  return isSampled(parent) ? SAMPLED : TENTATIVE;
}

/** Whether a trace is among the share that a ratio keeps. */
export function isInRatio(traceId: string, ratio: number): boolean {
  return ratio >= 1 || traceIdRandomness(traceId) >= 1 - ratio;
}

/**
 * Asks a sampler of the user's. When it fails, answers no decision or is switched off, a child follows its parent and a
 * root is kept.
 */
export function createHostSampler(sampler: Sampler, hook: HookSwitch): SpanSampler {
  const withoutSampler = createRatioSampler(1);
  return (parent, traceId, request) => {
    const { context, name, kind } = request;
    const attributes = copyAttributes(request.attributes);
    const links = copyLinks(request.links);
    const judge = (): SamplingVerdict => {
      const result: unknown = sampler.shouldSample(context, traceId, name, kind, attributes, links);
      if (!types.isPromise(result)) return readVerdict(result);
      void result.catch(() => undefined);
      throw new TypeError('a sampler must answer at once');
    };
    return hook.run(judge, undefined) ?? withoutSampler(parent, traceId, request);
  };
}

function readVerdict(result: unknown): SamplingVerdict {
  const { decision, attributes, traceState } = result as Partial<SamplingResult>;
  const sampled = decision === DECISION.RECORD_AND_SAMPLED;
  const record = sampled || decision === DECISION.RECORD;
  if (!record && decision !== DECISION.NOT_RECORD) throw new TypeError('a sampler must answer a sampling decision');
  if (traceState !== undefined && traceState !== null && typeof traceState.serialize !== 'function') {
    throw new TypeError('a sampler must answer a trace state or none');
  }
  return { record, sampled, attributes, traceState: traceState ?? undefined };
}

export function isSampled({ traceFlags }: HeldContext): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0;
}

/** The attributes as a sampler gets them: bounded, and safe to read. */
export function copyAttributes(given: unknown): Attributes {
  const attributes = new AttributeMap();
  attributes.setAll(given, MAX_ATTRIBUTES, MAX_VALUE_LENGTH, () => undefined);
  return attributes.copyTo({});
}

function copyLinks(given: unknown): Link[] {
  try {
    return Array.isArray(given) ? (given.slice(0, MAX_LINKS) as Link[]) : [];
  } catch {
    return [];
  }
}
