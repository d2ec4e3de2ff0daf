import type { CreateTracerOptions } from '../core/registry-options.ts';
import { elementsOf, isOptionsObject } from '../utils/option-reader.ts';
import { VERSION } from '../utils/version.ts';
import type { HoneyHiveSettings } from './honeyhive-options.ts';
import { readFields } from './honeyhive-params.ts';
import type { HoneyHiveSpanProcessor } from './honeyhive-span-processor.ts';

const MAX_LISTED = 32;
/** Prompts and answers are long, and theirs does not cut them. */
const MAX_VALUE_LENGTH = 1_048_576;
/** Theirs sends spans of up to 10 MiB. */
const MAX_QUEUE_BYTES = 16 * 1_048_576;
const TRACES_PATH = /\/v1\/traces\/*$/;

/** What every request to HoneyHive carries. */
export function honeyHiveHeaders({ apiKey = '', source }: HoneyHiveSettings): Record<string, string> {
  return {
    authorization: `Bearer ${apiKey}`,
    'x-source': source,
    'hh-sdk-version': VERSION,
    'hh-sdk-language': 'typescript',
    'hh-sdk-package': 'isotrace',
  };
}

/** Whether HoneyHive may be told anything. */
export function isOnline({ apiKey, disableTracing, serverUrl, testMode }: HoneyHiveSettings): boolean {
  return apiKey !== undefined && serverUrl !== undefined && !testMode && !disableTracing;
}

/** The options of the tracer under a HoneyHive tracer: those that were given, over HoneyHive's. Never throws. */
export function honeyHiveTracerOptions(
  settings: HoneyHiveSettings,
  processor: HoneyHiveSpanProcessor,
): CreateTracerOptions {
  const { apiKey, disableTracing, options, project, testMode, variables } = settings;
  const name = variables.HH_SERVICE_NAME ?? project;
  const version = variables.HH_SERVICE_VERSION;
  const isRecording = (testMode || apiKey !== undefined) && !disableTracing;
  const signals = over({ metrics: false, logs: false }, options.signals);
  return {
    ...options,
    service: over({ ...(name !== undefined && { name }), ...(version !== undefined && { version }) }, options.service),
    // HoneyHive takes traces only.
    signals: isRecording ? signals : { traces: false, metrics: false, logs: false },
    destination: destinationsOf(settings),
    batch: over(batchOf(settings), options.batch),
    limits: over(limitsOf(settings), options.limits),
    spanProcessors: [processor, ...listOf(options.spanProcessors)],
  };
}

function destinationsOf(settings: HoneyHiveSettings): CreateTracerOptions['destination'] {
  const { insecure, options, serverUrl, variables } = settings;
  const others = options.destination === undefined ? [] : listOf(options.destination);
  const isWanted = isOnline(settings) && variables.HH_OTLP_ENABLED !== false;
  const timeoutMillis = variables.HH_EXPORT_TIMEOUT;
  const own = {
    endpoint: variables.HH_OTLP_ENDPOINT?.replace(TRACES_PATH, '') ?? `${serverUrl}/opentelemetry`,
    protocol: variables.HH_OTLP_PROTOCOL ?? variables.OTEL_EXPORTER_OTLP_PROTOCOL ?? 'http/protobuf',
    headers: { ...honeyHiveHeaders(settings), ...variables.HH_OTLP_HEADERS },
    ...(timeoutMillis !== undefined && { timeoutMillis }),
    ...(insecure && { insecure }),
  };
  const all = [...(isWanted ? [own] : []), ...others];
  return all.length > 0 ? all : undefined;
}

function batchOf({ disableBatch, variables }: HoneyHiveSettings): NonNullable<CreateTracerOptions['batch']> {
  const sizes = [variables.HH_BATCH_SIZE, variables.HH_MAX_EXPORT_BATCH_SIZE].filter((size) => size !== undefined);
  const maxSize = disableBatch ? 1 : sizes.length > 0 ? Math.min(...sizes) : undefined;
  const delayMillis = variables.HH_FLUSH_INTERVAL;
  return { ...(maxSize !== undefined && { maxSize }), ...(delayMillis !== undefined && { delayMillis }) };
}

function limitsOf({ options, variables }: HoneyHiveSettings): NonNullable<CreateTracerOptions['limits']> {
  return {
    attributeCountLimit: variables.HH_MAX_ATTRIBUTES ?? 1_024,
    attributeValueLengthLimit: MAX_VALUE_LENGTH,
    eventCountLimit: variables.HH_MAX_EVENTS ?? 1_024,
    linkCountLimit: variables.HH_MAX_LINKS ?? 128,
    ...(options.profile === undefined && { maxQueueBytes: MAX_QUEUE_BYTES }),
  };
}

/** What is given by itself, over `base`. What is no group of options stays as it is: the tracer says so. */
function over<T extends object>(base: T, given: T | undefined): T {
  if (given === undefined) return base;
  return isOptionsObject(given) ? { ...base, ...readFields<T>(given, () => undefined) } : given;
}

/** The same for lists; one that is none is an element that the tracer does not accept. */
function listOf<T>(given: T | readonly T[] | undefined): readonly T[] {
  if (given === undefined) return [];
  return (elementsOf(given, MAX_LISTED) as T[] | undefined) ?? [given as T];
}
