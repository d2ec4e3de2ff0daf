import type { Attributes, Context } from '@opentelemetry/api';
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace';
import { inferEventType } from '../processing/event-type.ts';
import type { HoneyHiveSettings } from './honeyhive-options.ts';

/** A session that spans are in. */
export interface HoneyHiveSession {
  readonly id: string;
  readonly name: string | undefined;
  /** Whether the receiver is to create it when it meets a span of it. */
  readonly isNew: boolean;
}

const ASSOCIATION = 'traceloop.association.properties.';
const EVENT_TYPE = 'honeyhive_event_type';
const EVENT_TYPES: ReadonlySet<unknown> = new Set(['model', 'tool', 'chain']);

/**
 * Sets on every span of one tracer what HoneyHive's receiver files it by: session, project, source and what of an
 * evaluation or experiment it is part of, under the names of both of its SDKs.
 */
export class HoneyHiveSpanProcessor implements SpanProcessor {
  readonly #common: Attributes;
  readonly #sessionIn: (context: Context) => HoneyHiveSession;

  constructor(settings: HoneyHiveSettings, sessionIn: (context: Context) => HoneyHiveSession) {
    this.#common = commonAttributes(settings);
    this.#sessionIn = sessionIn;
  }

  onStart(span: Span, parentContext: Context): void {
    const { id, isNew, name } = this.#sessionIn(parentContext);
    span.setAttributes({
      'honeyhive.session_id': id,
      [`${ASSOCIATION}session_id`]: id,
      ...(isNew && { 'honeyhive.session_auto_create': true }),
      ...(isNew && name !== undefined && { 'honeyhive.session_name': name }),
      ...this.#common,
    });
  }

  /** Spans of instrumentations say what they are by other conventions. */
  onEnding(span: Span): void {
    const { attributes } = span;
    if (attributes[EVENT_TYPE] !== undefined) return;
    const type = eventTypeOf(attributes);
    if (EVENT_TYPES.has(type)) span.setAttribute(EVENT_TYPE, type as string);
  }

  onEnd(): void {}

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

/** What HoneyHive says that a span is (python-sdk, `_detect_event_type`), without guesses by its name. */
function eventTypeOf(attributes: Attributes): string | undefined {
  const isEmbedding = String(attributes['openinference.span.kind']).toUpperCase() === 'EMBEDDING';
  return isEmbedding && attributes['gen_ai.operation.name'] === undefined ? 'tool' : inferEventType(attributes);
}

function commonAttributes(settings: HoneyHiveSettings): Attributes {
  const { disableHttpTracing, isEvaluation, project, source, variables } = settings;
  const found: Attributes = {
    'honeyhive.source': source,
    [`${ASSOCIATION}source`]: source,
    [`${ASSOCIATION}disable_http_tracing`]: String(disableHttpTracing),
  };
  if (project !== undefined) {
    found['honeyhive.project'] = project;
    found[`${ASSOCIATION}project`] = project;
  }
  for (const [key, value] of Object.entries(evaluationOf(settings))) {
    found[`${ASSOCIATION}${key}`] = value;
    if (isEvaluation) found[`honeyhive_metadata.${key}`] = value;
  }
  const experiment = {
    id: variables.HH_EXPERIMENT_ID,
    name: variables.HH_EXPERIMENT_NAME,
    variant: variables.HH_EXPERIMENT_VARIANT,
    group: variables.HH_EXPERIMENT_GROUP,
  };
  for (const [key, value] of Object.entries(experiment)) {
    if (value !== undefined) found[`honeyhive.experiment_${key}`] = value;
  }
  for (const [key, value] of Object.entries(variables.HH_EXPERIMENT_METADATA ?? {})) {
    found[`honeyhive.experiment_metadata.${key}`] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return found;
}

/** What is known of the evaluation that a tracer is part of, under HoneyHive's names. */
export function evaluationOf({ datapointId, datasetId, runId }: HoneyHiveSettings): Readonly<Record<string, string>> {
  return {
    ...(runId !== undefined && { run_id: runId }),
    ...(datasetId !== undefined && { dataset_id: datasetId }),
    ...(datapointId !== undefined && { datapoint_id: datapointId }),
  };
}
