/**
 * Attributes that backends group, bill and search by, and that are often set last. They find room in a span whose
 * attribute limit is reached.
 */
const CRITICAL: ReadonlySet<string> = new Set([
  'session.id',
  'isotrace.event.type',
  'error.type',
  'gen_ai.operation.name',
  'gen_ai.provider.name',
  'gen_ai.conversation.id',
  'gen_ai.agent.name',
  'gen_ai.tool.name',
  'gen_ai.workflow.name',
  'gen_ai.request.model',
  'gen_ai.response.model',
  'gen_ai.usage.input_tokens',
  'gen_ai.usage.output_tokens',
  'gen_ai.usage.cache_read.input_tokens',
  'gen_ai.usage.cache_creation.input_tokens',
  'isotrace.usage.cost',
  'isotrace.usage.input_tokens',
  'isotrace.usage.output_tokens',
  'isotrace.usage.total_cost',
  'isotrace.usage.calls',
  'isotrace.abandoned',
  // By which HoneyHive files spans; without a session it drops them.
  'honeyhive.session_id',
  'honeyhive.session_auto_create',
  'honeyhive.session_name',
  'honeyhive.project',
  'honeyhive.source',
  'traceloop.association.properties.session_id',
  'traceloop.association.properties.project',
  'traceloop.association.properties.source',
  'honeyhive_event_type',
  'honeyhive_event_name',
  'honeyhive_metadata.run_id',
  'honeyhive_metadata.dataset_id',
  'honeyhive_metadata.datapoint_id',
  'honeyhive_error',
]);

export function isCriticalAttribute(key: string): boolean {
  return CRITICAL.has(key);
}
