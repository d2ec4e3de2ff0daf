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
const EVENT_TYPES: ReadonlySet<unknown> = new Set(['model', 'tool', 'chain']);

/**
 * Sets on every span of one tracer what HoneyHive's receiver files it by: session, project, source and what of an
 * evaluation it is part of, under the names of both of its SDKs.
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
    if (attributes['honeyhive_event_type'] !== undefined) return;
    const type = inferEventType(attributes);
    if (EVENT_TYPES.has(type)) span.setAttribute('honeyhive_event_type', type as string);
  }

  onEnd(): void {}

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

function commonAttributes(settings: HoneyHiveSettings): Attributes {
  const { datapointId, datasetId, disableHttpTracing, isEvaluation, project, runId, source } = settings;
  const evaluation = { run_id: runId, dataset_id: datasetId, datapoint_id: datapointId };
  const found: Attributes = {
    'honeyhive.source': source,
    [`${ASSOCIATION}source`]: source,
    [`${ASSOCIATION}disable_http_tracing`]: String(disableHttpTracing),
  };
  if (project !== undefined) {
    found['honeyhive.project'] = project;
    found[`${ASSOCIATION}project`] = project;
  }
  for (const [key, value] of Object.entries(evaluation)) {
    if (value === undefined) continue;
    found[`${ASSOCIATION}${key}`] = value;
    if (isEvaluation) found[`honeyhive_metadata.${key}`] = value;
  }
  return found;
}
