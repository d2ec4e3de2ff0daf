import { type Attributes, SpanKind } from '@opentelemetry/api';
import type { CaptureOptions } from './capture.ts';
import { EVENT_TYPE_KEY, type EventType } from './event-type.ts';
import type { TraceDecorator, TraceOptions } from './trace-function.ts';
import { type TokenUsage, usageAttributes } from './usage.ts';
import type { Wrappable } from './wrap-function.ts';

/** What all presets take. */
export interface PresetOptions {
  /** Attributes of the span beside those of the preset, or a function of the call's arguments that returns them. */
  readonly attributes?: TraceOptions['attributes'];
  /** As in {@link TraceOptions}. */
  readonly capture?: boolean | CaptureOptions | undefined;
}

/** A call of a model: a span of kind `CLIENT` named `chat gpt-x`, by the semantic conventions for generative AI. */
export interface ModelCallOptions extends PresetOptions {
  /** `gen_ai.request.model` */
  readonly model: string;
  /** `gen_ai.operation.name`. Default: `chat`. */
  readonly operation?: 'chat' | 'text_completion' | 'generate_content' | 'embeddings' | (string & {}) | undefined;
  /** `gen_ai.provider.name`, such as `openai`, `anthropic`, `aws.bedrock`. */
  readonly provider?: string | undefined;
  /** The tokens that a call used, by its result, or by the list of what it yielded. */
  readonly usage?: ((result: never) => TokenUsage | undefined) | undefined;
}

/** A call of a tool by an agent: a span of kind `INTERNAL` named `execute_tool search`. */
export interface ToolCallOptions extends PresetOptions {
  /** `gen_ai.tool.name` */
  readonly tool: string;
  /** `gen_ai.tool.type`, such as `function`, `extension`, `datastore`. */
  readonly type?: string | undefined;
  /** `gen_ai.tool.description` */
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
  /** `gen_ai.agent.id` */
  readonly id?: string | undefined;
  /** `gen_ai.agent.description` */
  readonly description?: string | undefined;
  /** `gen_ai.provider.name` */
  readonly provider?: string | undefined;
  /** `gen_ai.request.model` */
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
  <F extends Wrappable>(options: string | O, fn: F): F;
  (options: string | O): TraceDecorator;
}

/** The options of `trace` for calls of a model. A text is the name of the model. */
export function modelCall(given: string | ModelCallOptions): TraceOptions {
  const options = typeof given === 'string' ? { model: given } : given;
  const { model, operation = 'chat', provider, usage } = options;
  return preset(
    options,
    `${operation} ${model}`,
    SpanKind.CLIENT,
    'model',
    {
      'gen_ai.operation.name': operation,
      'gen_ai.request.model': model,
      ...(provider !== undefined && { 'gen_ai.provider.name': provider }),
    },
    usage,
  );
}

/** The options of `trace` for calls of a tool. A text is the name of the tool. */
export function toolCall(given: string | ToolCallOptions): TraceOptions {
  const options = typeof given === 'string' ? { tool: given } : given;
  const { tool, type, description } = options;
  return preset(options, `execute_tool ${tool}`, SpanKind.INTERNAL, 'tool', {
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': tool,
    ...(type !== undefined && { 'gen_ai.tool.type': type }),
    ...(description !== undefined && { 'gen_ai.tool.description': description }),
  });
}

/** The options of `trace` for a step of a chain. A text is the name of the span. */
export function chainStep(given: string | ChainOptions): TraceOptions {
  const options = typeof given === 'string' ? { name: given } : given;
  return preset(options, options.name, SpanKind.INTERNAL, 'chain', {});
}

/** The options of `trace` for runs of an agent. A text is the name of the agent. */
export function agentCall(given: string | AgentCallOptions): TraceOptions {
  const options = typeof given === 'string' ? { agent: given } : given;
  const { agent, id, description, provider, model, remote } = options;
  return preset(options, `invoke_agent ${agent}`, remote === true ? SpanKind.CLIENT : SpanKind.INTERNAL, 'chain', {
    'gen_ai.operation.name': 'invoke_agent',
    'gen_ai.agent.name': agent,
    ...(id !== undefined && { 'gen_ai.agent.id': id }),
    ...(description !== undefined && { 'gen_ai.agent.description': description }),
    ...(provider !== undefined && { 'gen_ai.provider.name': provider }),
    ...(model !== undefined && { 'gen_ai.request.model': model }),
  });
}

/** The options of `trace` for runs of a workflow. A text is the name of the workflow. */
export function workflowRun(given: string | WorkflowOptions): TraceOptions {
  const options = typeof given === 'string' ? { workflow: given } : given;
  return preset(options, `invoke_workflow ${options.workflow}`, SpanKind.INTERNAL, 'chain', {
    'gen_ai.operation.name': 'invoke_workflow',
  });
}

function preset(
  { attributes, capture }: PresetOptions,
  name: string,
  kind: SpanKind,
  eventType: EventType,
  own: Attributes,
  usage?: (result: never) => TokenUsage | undefined,
): TraceOptions {
  const common = { ...own, [EVENT_TYPE_KEY]: eventType };
  return {
    name,
    kind,
    attributes:
      typeof attributes === 'function'
        ? (...args) => ({ ...common, ...Reflect.apply(attributes, undefined, args) })
        : { ...common, ...attributes },
    ...(capture !== undefined && { capture }),
    ...(usage !== undefined && {
      resultAttributes: (result) => {
        const used = usage(result);
        return used && usageAttributes(used);
      },
    }),
  };
}
