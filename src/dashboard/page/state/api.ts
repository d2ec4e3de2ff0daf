import { signal } from '@preact/signals';

export interface ApiError {
  readonly status: number;
  readonly message: string;
  readonly parameter?: string;
  readonly position?: { readonly start: number; readonly end: number };
}

export type Answer<T> = { readonly value: T } | { readonly error: ApiError };
export type Values = Readonly<Record<string, string | number | undefined>>;

/** Whether the server wants a token that this page does not have. */
export const tokenNeeded = signal(false);

const early = new Map<string, Promise<Response>>();
const sessions = { started: 0 };

export function apiPath(path: string, values: Values = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') params.set(name, String(value));
  }
  const text = params.toString();
  return `/api/v1/${path}${text === '' ? '' : `?${text}`}`;
}

/** Asks before somebody wants to know; the first one who does gets the answer. */
export function askEarly(path: string): void {
  const response = fetch(path);
  // Whoever asks is told of it.
  response.catch(() => {});
  early.set(path, response);
}

/** What an answer has when its connection failed, before it came or on the way. */
const NO_CONNECTION = 0;

/** Whether the same question may be answered when it is asked again: nobody could answer, or was too busy. */
export function isPassing({ status }: ApiError): boolean {
  return status === NO_CONNECTION || status === 429 || status >= 500;
}

/** How long after a failure that may pass the same is asked again. */
export const RETRY_MILLIS = 2_000;

/** Whether what was asked for had to make room, or is for nobody with this session. */
export function isGone({ status }: ApiError): boolean {
  return status === 404;
}

const TOKEN_UNKNOWN = 'The dashboard does not know this token.';

/** Never rejects, unless it was aborted. */
export async function ask<T>(path: string, abort?: AbortSignal): Promise<Answer<T>> {
  const session = sessions.started;
  const response = await responseTo(path, abort).catch(() => undefined);
  abort?.throwIfAborted();
  if (response === undefined) return brokenOff('the dashboard does not answer');
  // Of before the session it says nothing about the session.
  if (response.status === 401 && session === sessions.started) tokenNeeded.value = true;
  const body = (await response.json().catch(() => undefined)) as
    | { readonly error?: Omit<ApiError, 'status'> }
    | undefined;
  abort?.throwIfAborted();
  if (!response.ok) {
    return { error: { message: `the dashboard answered ${response.status}`, ...body?.error, status: response.status } };
  }
  return body === undefined ? brokenOff('the answer of the dashboard was cut off') : { value: body as T };
}

function responseTo(path: string, abort: AbortSignal | undefined): Promise<Response> {
  const asked = early.get(path);
  early.delete(path);
  return asked ?? fetch(path, { ...(abort && { signal: abort }) });
}

function brokenOff(message: string): { readonly error: ApiError } {
  return { error: { status: NO_CONNECTION, message } };
}

/** Exchanges a token for a cookie, which `EventSource` sends too. Says why not, where it could not. */
export async function startSession(token: string): Promise<string | undefined> {
  // A token has no other characters, and a header must not have all of them.
  if (!/^[\x21-\x7e]+$/.test(token)) return TOKEN_UNKNOWN;
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch('/api/v1/session', { method: 'POST', headers }).catch(() => undefined);
  if (response === undefined) return 'The dashboard does not answer.';
  if (response.status === 401) return TOKEN_UNKNOWN;
  if (!response.ok) return `The dashboard answered ${response.status}.`;
  sessions.started += 1;
  tokenNeeded.value = false;
  return undefined;
}
