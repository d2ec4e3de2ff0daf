import type { ConfigIssue } from './errors.ts';

/** What came of a command or a query: plain data, like all that a bus takes and answers. */
export type BusResult<T, Reason extends string> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly reason: Reason;
      /** For people. */
      readonly message: string;
      /** What is wrong with the fields, where that is the reason. */
      readonly issues: readonly ConfigIssue[];
    };

/** What a bus can be told besides what it knows: by type, a function from its fields to what its handler answers. */
export type CustomMessages = Readonly<Record<string, (fields: never) => unknown>>;

/** A message of one's own. */
export type CustomMessage<Custom extends CustomMessages, K extends keyof Custom & string> = {
  readonly type: K;
} & Parameters<Custom[K]>[0];

/** What its handler answers. */
export type CustomValue<Custom extends CustomMessages, K extends keyof Custom> = Awaited<ReturnType<Custom[K]>>;

export function succeed<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function fail<Reason extends string>(
  reason: Reason,
  message: string,
  issues: readonly ConfigIssue[] = [],
): BusResult<never, Reason> {
  return { ok: false, reason, message, issues };
}

/** The type of a message, which may be anything; `undefined` when it has none. Never throws. */
export function typeOfMessage(message: unknown): string | undefined {
  try {
    const type: unknown = typeof message === 'object' && message !== null ? Reflect.get(message, 'type') : undefined;
    return typeof type === 'string' ? type : undefined;
  } catch {
    return undefined;
  }
}
