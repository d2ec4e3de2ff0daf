import { randomUUID } from 'node:crypto';
import type { Attributes, Span } from '@opentelemetry/api';
import { SpanKind } from '@opentelemetry/api';
import type { ScopeContext } from './scope.ts';
import type { ParentFacts, Session } from './scope-session.ts';

/** The baggage member that carries a session between processes, where the allow-list has it. */
export const SESSION_KEY = 'session.id';
export const MAX_SESSION_ID_LENGTH = 128;

/** Open root spans of a session that hear of later enrichment. */
const MAX_ROOTS = 64;
const MAX_ATTRIBUTES = 256;

/** A session id that another process sent; nothing is made of one that is none. */
export function readSessionId(value: string | undefined): string | undefined {
  if (value === undefined || value.length > MAX_SESSION_ID_LENGTH) return undefined;
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u.test(value) ? value : undefined;
}

/**
 * What spans of one tenant carry while it is in their scope: the session's id on each, what is said about the session
 * on its root spans (those whose parent is not in it), and tags such as the conversation on each.
 */
export class ActiveSession implements Session {
  readonly id: string | undefined;
  readonly #tags: Readonly<Attributes> | undefined;
  readonly #roots: SessionRoots | undefined;

  private constructor(id: string | undefined, tags: Readonly<Attributes> | undefined, roots: SessionRoots | undefined) {
    this.id = id;
    this.#tags = tags;
    this.#roots = roots;
  }

  /**
   * A new session inside `outer`, whose tags it keeps.
   *
   * @param around the span in which it begins, which is not in it
   */
  static open(
    id: string,
    outer: Session | undefined,
    around: Span | undefined,
    attributes?: Attributes,
  ): ActiveSession {
    const tags = outer instanceof ActiveSession ? outer.#tags : undefined;
    return new ActiveSession(id, tags, new SessionRoots(around, attributes));
  }

  /** The same session, if there is one, whose spans carry some more attributes. */
  static tagged(outer: Session | undefined, tags: Readonly<Attributes>): ActiveSession {
    if (!(outer instanceof ActiveSession)) return new ActiveSession(outer?.id, Object.freeze({ ...tags }), undefined);
    return new ActiveSession(outer.id, Object.freeze({ ...outer.#tags, ...tags }), outer.#roots);
  }

  join(span: Span, parent: Span | undefined, parentContext: ParentFacts | undefined): void {
    if (this.id !== undefined) span.setAttribute(SESSION_KEY, this.id);
    if (this.#tags !== undefined) span.setAttributes(this.#tags);
    if (this.#roots?.has(parent, parentContext) === true) this.#roots.add(span);
  }

  /** Adds to what its root spans say, those that are open and later ones. `false` when none is open. */
  enrich(attributes: Attributes): boolean {
    return this.#roots?.enrich(attributes) ?? false;
  }
}

class SessionRoots {
  readonly #around: Span | undefined;
  #attributes: Attributes | undefined;
  #open: Span[] = [];

  constructor(around: Span | undefined, attributes: Attributes | undefined) {
    this.#around = around;
    this.#attributes = attributes;
  }

  /** Whether a span with this parent is a root of the session. */
  has(parent: Span | undefined, parentContext: ParentFacts | undefined): boolean {
    return parent === undefined || parent === this.#around || parentContext?.isRemote === true;
  }

  add(span: Span): void {
    if (this.#attributes !== undefined) span.setAttributes(this.#attributes);
    if (this.#open.length > 0) this.#open = this.#open.filter((root) => root.isRecording()).slice(1 - MAX_ROOTS);
    this.#open.push(span);
  }

  enrich(attributes: Attributes): boolean {
    const merged = { ...this.#attributes, ...attributes };
    if (Object.keys(merged).length <= MAX_ATTRIBUTES) this.#attributes = merged;
    this.#open = this.#open.filter((root) => root.isRecording());
    for (const root of this.#open) root.setAttributes(attributes);
    return this.#open.length > 0;
  }
}

/** `sessions: 'per-root'`: a session for each local root span of kind `SERVER` that is in none, and all below it. */
export class RootSessions {
  readonly #sessions = new WeakMap<Span, ActiveSession>();

  /** That of a span which is about to start in no session. */
  find(kind: SpanKind, parent: Span | undefined, parentContext: ParentFacts | undefined): ActiveSession | undefined {
    const inherited = parent && this.#sessions.get(parent);
    if (inherited !== undefined || kind !== SpanKind.SERVER) return inherited;
    const isRoot = parentContext === undefined || parentContext.isRemote === true;
    return isRoot ? ActiveSession.open(randomUUID(), undefined, parent) : undefined;
  }

  add(span: Span, session: ActiveSession): void {
    this.#sessions.set(span, session);
  }

  of(span: Span | undefined): ActiveSession | undefined {
    return span && this.#sessions.get(span);
  }
}

/** The session of a scope: the one that was entered, else that of the span in it. */
export function sessionIn(
  { rootSessions }: { readonly rootSessions: RootSessions | undefined },
  scope: ScopeContext | undefined,
): Session | undefined {
  return scope?.session ?? rootSessions?.of(scope?.ownSpan);
}
