import { randomUUID } from 'node:crypto';
import type { Attributes, Span } from '@opentelemetry/api';
import { context as contextApi } from '@opentelemetry/api';
import {
  type AgentCallOptions,
  agentCall,
  type ModelCallOptions,
  modelCall,
  type ToolCallOptions,
  toolCall,
  type WorkflowOptions,
  workflowRun,
} from '../processing/presets.ts';
import { enterScope, scopeOfOwner } from '../processing/scope.ts';
import { ActiveSession, MAX_SESSION_ID_LENGTH, sessionIn } from '../processing/session.ts';
import type { TraceOptions } from '../processing/trace-function.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import { readUsage, type TenantUsage, type TokenUsage, usageAttributes } from '../processing/usage.ts';
import type { Mixed, MixinBase } from './mixin.ts';
import type { Operations } from './operations.ts';
import type { TracerBase } from './tracer-base.ts';

/**
 * Running agents, by OpenTelemetry's semantic conventions for generative AI. Conversations and workflows belong to one
 * tenant and one function call, like sessions. No method throws on its own account; what a function that was handed in
 * throws comes out as the very same value.
 */
export interface AgentOperations {
  /** Runs `fn` in a conversation: spans inside carry its id as `gen_ai.conversation.id`. */
  withConversation<T>(id: string, fn: () => T): T;

  /** Runs `fn` in a span for a run of a workflow; it and the spans inside carry its name and id. */
  withWorkflow<T>(options: string | WorkflowOptions, fn: (span: Span) => T): T;

  /** Runs `fn` in a span for a run of an agent. */
  withAgent<T>(options: string | AgentCallOptions, fn: (span: Span) => T): T;

  /** Runs `fn` in a span for a call of a model. */
  withModelCall<T>(options: string | ModelCallOptions, fn: (span: Span) => T): T;

  /** Runs `fn` in a span for a call of a tool. */
  withTool<T>(options: string | ToolCallOptions, fn: (span: Span) => T): T;

  /**
   * Says on the active span what tokens a call used; with the option `agents` they are added up. Where sampling turned
   * the span away they still count for the tenant. Answers whether there was something to count, and where.
   */
  recordUsage(usage: TokenUsage): boolean;

  /** What this tenant's agents spent since the tracer was made; `undefined` without the option `agents`. */
  usage(): TenantUsage | undefined;
}

/** Adds {@link AgentOperations} to a tracer class. Not part of `Tracer`: `class extends WithAgents(Tracer) {}`. */
export function WithAgents<Base extends MixinBase<TracerBase & Operations>>(base: Base): Base & Mixed<AgentOperations> {
  abstract class WithAgentsMixin extends base implements AgentOperations {
    withConversation<T>(id: string, fn: () => T): T {
      const isId = typeof id === 'string' && id !== '';
      const tags = isId ? { 'gen_ai.conversation.id': id.slice(0, MAX_SESSION_ID_LENGTH) } : undefined;
      return this.#tagged(tags, fn);
    }

    withWorkflow<T>(options: string | WorkflowOptions, fn: (span: Span) => T): T {
      const tags = this.runtime.guard.run('host', 'withWorkflow', () => workflowTags(options), undefined);
      return this.#tagged(tags, () => this.#run(workflowRun, options, fn));
    }

    withAgent<T>(options: string | AgentCallOptions, fn: (span: Span) => T): T {
      return this.#run(agentCall, options, fn);
    }

    withModelCall<T>(options: string | ModelCallOptions, fn: (span: Span) => T): T {
      return this.#run(modelCall, options, fn);
    }

    withTool<T>(options: string | ToolCallOptions, fn: (span: Span) => T): T {
      return this.#run(toolCall, options, fn);
    }

    recordUsage(usage: TokenUsage): boolean {
      const { runtime } = this;
      const record = (): boolean => {
        const attributes = usageAttributes(usage);
        const used = readUsage((key) => attributes[key]);
        if (used === undefined) return false;
        const span = this.activeSpan();
        const watch = runtime.path.agentWatch;
        if (span?.isRecording() === true) span.setAttributes(attributes);
        else if (watch !== undefined) watch.count(used);
        else return false;
        return true;
      };
      return runtime.guard.run('host', 'recordUsage', record, false);
    }

    usage(): TenantUsage | undefined {
      return this.runtime.path.usage;
    }

    /** As a wrapped function that is called at once, so that results and failures are treated as there. */
    #run<O, T>(optionsOf: (given: string | O) => TraceOptions, given: string | O, fn: (span: Span) => T): T {
      if (typeof fn !== 'function') return undefined as T;
      const options = this.runtime.guard.run('host', 'preset', () => optionsOf(given), {});
      return this.trace({ ...options, capture: false }, () => fn(this.activeSpan() ?? NOOP_SPAN))();
    }

    #tagged<T>(tags: Attributes | undefined, fn: () => T): T {
      if (typeof fn !== 'function') return undefined as T;
      const { runtime } = this;
      const active = contextApi.active();
      const enter = () => {
        const outer = sessionIn(runtime, scopeOfOwner(active, runtime));
        return enterScope(active, runtime, tags && { session: ActiveSession.tagged(outer, tags) });
      };
      return contextApi.with(runtime.guard.run('context', 'enter', enter, active), fn);
    }
  }
  return WithAgentsMixin as never;
}

function workflowTags(given: string | WorkflowOptions): Attributes | undefined {
  const { workflow, id } = typeof given === 'string' ? { workflow: given, id: undefined } : given;
  if (typeof workflow !== 'string' || workflow === '') return undefined;
  const isId = typeof id === 'string' && id !== '';
  return {
    'gen_ai.workflow.name': workflow,
    'isotrace.workflow.id': isId ? id.slice(0, MAX_SESSION_ID_LENGTH) : randomUUID(),
  };
}
