import { types } from 'node:util';
import { type Attributes, SpanKind } from '@opentelemetry/api';
import { cutString } from '../utils/cut-string.ts';
import { copyRecord } from '../utils/record-keys.ts';
import type { CaptureOptions } from './capture.ts';
import { EVENT_TYPE_KEY, type EventType } from './event-type.ts';
import type { TraceDecorator, TraceOptions } from './trace-function.ts';
import { type TokenUsage, usageAttributes } from './usage.ts';
import type { Wrappable } from './wrap-function.ts';

const MAX_NAME_LENGTH = 1_024;
const MAX_ATTRIBUTES = 128;

/** What all presets take. */
export interface PresetOptions {
  /** Attributes of the span beside those of the preset, or a function of the call's arguments that returns them. Default: none. */
  readonly attributes?: TraceOptions['attributes'];
  /** As in {@link TraceOptions}. Default: as the tenant's. */
  readonly capture?: boolean | CaptureOptions | undefined;
}

/** A call of a model: a span of kind `CLIENT` named `chat gpt-x`, by the semantic conventions for generative AI. */
export interface ModelCallOptions extends PresetOptions {
  /** `gen_ai.request.model` */
  readonly model: string;
  /** `gen_ai.operation.name`. Default: `chat`. */
  readonly operation?: 'chat' | 'text_completion' | 'generate_content' | 'embeddings' | (string & {}) | undefined;
  /** `gen_ai.provider.name`, such as `openai`, `anthropic`, `aws.bedrock`. Default: none. */
  readonly provider?: string | undefined;
  /** The tokens that a call used, by its result, or by the list of what it yielded. Default: not told. */
  readonly usage?: ((result: never) => TokenUsage | undefined) | undefined;
}

/** A call of a tool by an agent: a span of kind `INTERNAL` named `execute_tool search`. */
export interface ToolCallOptions extends PresetOptions {
  /** `gen_ai.tool.name` */
  readonly tool: string;
  /** `gen_ai.tool.type`, such as `function`, `extension`, `datastore`. Default: none. */
  readonly type?: string | undefined;
  /** `gen_ai.tool.description`. Default: none. */
  readonly description?: string | undefined;
}

/** A step that calls others: a span of kind `INTERNAL`. */
export interface ChainOptions extends PresetOptions {
  /** Name of the span. */
  readonly name: string;
}

/** A run of an agent: a span named `invoke_agent planner`, of kind `CLIENT` when the agent is another process's. */
export interface AgentCallOptions extends PresetOptions {
  /** `gen_ai.agent.name` */
  readonly agent: string;
  /** `gen_ai.agent.id`. Default: none. */
  readonly id?: string | undefined;
  /** `gen_ai.agent.description`. Default: none. */
  readonly description?: string | undefined;
  /** `gen_ai.provider.name`. Default: none. */
  readonly provider?: string | undefined;
  /** `gen_ai.request.model`. Default: none. */
  readonly model?: string | undefined;
  /** Whether the agent runs elsewhere. Default: `false`. */
  readonly remote?: boolean | undefined;
}

/** A run of a workflow of agents: a span of kind `INTERNAL` named `invoke_workflow triage`. */
export interface WorkflowOptions extends PresetOptions {
  /** `gen_ai.workflow.name`, also on the spans inside. */
  readonly workflow: string;
  /** `isotrace.workflow.id`, also on the spans inside. Default: a random UUID. */
  readonly id?: string | undefined;
}

/** Wraps functions and decorates methods by a preset; a text stands for its name alone. */
export interface PresetFunction<O> {
  /** Wraps `fn`, or answers a decorator; a string is the name. */
  <F extends Wrappable>(options: string | O, fn: F): F;
  (options: string | O): TraceDecorator;
}

/** The options of `trace` for calls of a model. A text is the name of the model. Never throws. */
export function modelCall(given: string | ModelCallOptions): TraceOptions {
  return readPreset(given, 'model', (options: ModelCallOptions) => {
    const { operation = 'chat', provider, usage } = options;
    return {
      name: `${textOf(operation)} ${textOf(options.model)}`,
      kind: SpanKind.CLIENT,
      eventType: 'model',
      attributes: {
        'gen_ai.operation.name': operation,
        'gen_ai.request.model': options.model,
        'gen_ai.provider.name': provider,
      },
      usage,
    };
  });
}

/** The options of `trace` for calls of a tool. A text is the name of the tool. Never throws. */
export function toolCall(given: string | ToolCallOptions): TraceOptions {
  return readPreset(given, 'tool', ({ tool, type, description }: ToolCallOptions) => ({
    name: `execute_tool ${textOf(tool)}`,
    kind: SpanKind.INTERNAL,
    eventType: 'tool',
    attributes: {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': tool,
      'gen_ai.tool.type': type,
      'gen_ai.tool.description': description,
    },
  }));
}

/** The options of `trace` for a step of a chain. A text is the name of the span. Never throws. */
export function chainStep(given: string | ChainOptions): TraceOptions {
  return readPreset(given, 'name', ({ name }: ChainOptions) => {
    return { name: textOf(name), kind: SpanKind.INTERNAL, eventType: 'chain', attributes: {} };
  });
}

/** The options of `trace` for runs of an agent. A text is the name of the agent. Never throws. */
export function agentCall(given: string | AgentCallOptions): TraceOptions {
  return readPreset(given, 'agent', ({ agent, id, description, provider, model, remote }: AgentCallOptions) => ({
    name: `invoke_agent ${textOf(agent)}`,
    kind: remote === true ? SpanKind.CLIENT : SpanKind.INTERNAL,
    eventType: 'chain',
    attributes: {
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.name': agent,
      'gen_ai.agent.id': id,
      'gen_ai.agent.description': description,
      'gen_ai.provider.name': provider,
      'gen_ai.request.model': model,
    },
  }));
}

/** The options of `trace` for runs of a workflow. A text is the name of the workflow. Never throws. */
export function workflowRun(given: string | WorkflowOptions): TraceOptions {
  return readPreset(given, 'workflow', ({ workflow }: WorkflowOptions) => ({
    name: `invoke_workflow ${textOf(workflow)}`,
    kind: SpanKind.INTERNAL,
    eventType: 'chain',
    attributes: { 'gen_ai.operation.name': 'invoke_workflow' },
  }));
}

interface Preset {
  readonly name: string;
  readonly kind: SpanKind;
  readonly eventType: EventType;
  /** What is no text is left out. */
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly usage?: ((result: never) => TokenUsage | undefined) | undefined;
}

/** What cannot be read counts as not given. */
function readPreset<O extends PresetOptions>(
  given: string | O,
  main: keyof O,
  read: (options: O) => Preset,
): TraceOptions {
  try {
    const options = (typeof given === 'string' ? { [main]: given } : given) as O;
    const { attributes, capture } = options;
    const { name, kind, eventType, attributes: own, usage } = read(options);
    const texts = Object.entries(own).filter(([, value]) => typeof value === 'string');
    const common = { ...Object.fromEntries(texts), [EVENT_TYPE_KEY]: eventType } as Attributes;
    const merged = (more: unknown): Attributes => {
      // Attributes come too late from a promise; it must not become an unhandled rejection of the host's.
      if (types.isPromise(more)) more.catch(() => undefined);
      return { ...common, ...copyRecord(more, MAX_ATTRIBUTES) } as Attributes;
    };
    return {
      name: name.trim(),
      kind,
      attributes:
        typeof attributes === 'function'
          ? (...args) => merged(Reflect.apply(attributes, undefined, args))
          : merged(attributes),
      ...(capture !== undefined && { capture }),
      ...(typeof usage === 'function' && { resultAttributes: (result) => usageOf(usage, result) }),
    };
  } catch {
    return {};
  }
}

function usageOf(usage: (result: never) => TokenUsage | undefined, result: never): Attributes | undefined {
  const used = usage(result);
  return typeof used === 'object' && used !== null ? usageAttributes(used) : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? cutString(value, MAX_NAME_LENGTH) : '';
}
