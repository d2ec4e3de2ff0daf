/** What all messages between a worker and its parent have: `isotrace` says their kind, `version` how they are meant. */
export interface Envelope<Kind extends string> {
  readonly isotrace: Kind;
  readonly version: 1;
}

export const ENVELOPE_VERSION = 1;

/** The kind of a message, if it is one of these and of a version that we know. May throw what the message throws. */
export function kindAmong<Kind extends string>(message: unknown, kinds: readonly Kind[]): Kind | undefined {
  const { isotrace, version } = objectOf(message);
  return version === ENVELOPE_VERSION ? kinds.find((kind) => kind === isotrace) : undefined;
}

export function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
