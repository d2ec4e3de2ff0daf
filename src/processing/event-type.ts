/** What a span is a step of. Any other text is a type of the user's own. */
export type EventType = 'model' | 'tool' | 'chain' | 'session' | (string & {});

/** What an event type is inferred from. */
export interface InferEventTypeOptions {
  /** Whether to guess by the span's name when its attributes do not tell. Default: `false`. */
  readonly names?: boolean | undefined;
}

export const EVENT_TYPE_KEY = 'isotrace.event.type';

/** `gen_ai.operation.name` (OpenTelemetry semantic conventions for generative AI). */
const GEN_AI_OPERATIONS: ReadonlyMap<unknown, EventType> = new Map<unknown, EventType>([
  ['chat', 'model'],
  ['text_completion', 'model'],
  ['generate_content', 'model'],
  ['embeddings', 'model'],
  ['execute_tool', 'tool'],
  ['retrieval', 'tool'],
  ['create_memory', 'tool'],
  ['create_memory_store', 'tool'],
  ['delete_memory', 'tool'],
  ['delete_memory_store', 'tool'],
  ['search_memory', 'tool'],
  ['update_memory', 'tool'],
  ['upsert_memory', 'tool'],
  ['create_agent', 'chain'],
  ['invoke_agent', 'chain'],
  ['invoke_workflow', 'chain'],
  ['plan', 'chain'],
]);

/** `openinference.span.kind` (OpenInference). */
const OPENINFERENCE_KINDS: ReadonlyMap<unknown, EventType> = new Map<unknown, EventType>([
  ['LLM', 'model'],
  ['EMBEDDING', 'model'],
  ['TOOL', 'tool'],
  ['RETRIEVER', 'tool'],
  ['RERANKER', 'tool'],
  ['GUARDRAIL', 'tool'],
  ['EVALUATOR', 'tool'],
  ['CHAIN', 'chain'],
  ['AGENT', 'chain'],
  ['PROMPT', 'chain'],
]);

/** Whole words of a span's name, the first that is found. */
const NAME_WORDS: readonly (readonly [words: RegExp, type: EventType])[] = [
  [/\b(?:tool|function[ _.-]?call|retriev(?:al|er|e)|search|rerank\w*)\b/i, 'tool'],
  [/\b(?:agent|workflow|chain|pipeline|plan(?:ner)?)\b/i, 'chain'],
  [/\b(?:llm|gpt|claude|gemini|chat|completions?|embeddings?|openai|anthropic)\b/i, 'model'],
];

/**
 * The type of a span by its attributes: the one that was set (`isotrace.event.type`), else by `gen_ai.operation.name`,
 * else by `openinference.span.kind`; by its name only where that was asked for. `undefined` when nothing tells. Never
 * throws.
 */
export function inferEventType(
  attributes: Readonly<Record<string, unknown>>,
  name = '',
  options: InferEventTypeOptions = {},
): EventType | undefined {
  try {
    const own = attributes[EVENT_TYPE_KEY];
    if (typeof own === 'string' && own !== '') return own;
    const known =
      GEN_AI_OPERATIONS.get(attributes['gen_ai.operation.name']) ??
      OPENINFERENCE_KINDS.get(upperCase(attributes['openinference.span.kind']));
    if (known !== undefined || options.names !== true) return known;
    const words = name.slice(0, MAX_NAME_LENGTH).replaceAll('_', ' ');
    return NAME_WORDS.find(([pattern]) => pattern.test(words))?.[1];
  } catch {
    return undefined;
  }
}

const MAX_NAME_LENGTH = 256;

function upperCase(value: unknown): unknown {
  return typeof value === 'string' ? value.toUpperCase() : value;
}
