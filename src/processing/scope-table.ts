import type { SpanScope } from './span-host.ts';

/** Names of instrumentation scopes may come from outside; those beyond this number share the scope of isotrace. */
const MAX_SCOPES = 1_000;
const MAX_SCOPE_TEXT = 256;

/** Instrumentation scopes by name and version, each with the number that queues know it by. Bounded. */
export class ScopeTable {
  readonly #own: SpanScope;
  readonly #scopes = new Map<string, SpanScope>();

  /** @param own has the first number, and stands for those beyond the bound */
  constructor(own: SpanScope) {
    this.#own = own;
  }

  /** Never throws, whatever the values are. */
  scope(givenName: unknown, givenVersion: unknown): SpanScope {
    const name = textOf(givenName) ?? 'unknown';
    const version = textOf(givenVersion);
    const key = version === undefined ? name : `${name}\n${version}`;
    const known = this.#scopes.get(key);
    if (known !== undefined) return known;
    if (this.#scopes.size >= MAX_SCOPES) return this.#own;
    const index = this.#own.index + 1 + this.#scopes.size;
    const scope: SpanScope = { index, name, ...(version !== undefined && { version }) };
    this.#scopes.set(key, scope);
    return scope;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_SCOPE_TEXT) : undefined;
}
