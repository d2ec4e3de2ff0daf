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

/** Never rejects, unless it was aborted. */
export async function ask<T>(path: string, abort?: AbortSignal): Promise<Answer<T>> {
  let response: Response;
  try {
    const asked = early.get(path);
    early.delete(path);
    response = await (asked ?? fetch(path, { ...(abort && { signal: abort }) }));
  } catch (error) {
    if (abort?.aborted) throw error;
    return { error: { status: 0, message: 'the dashboard does not answer' } };
  }
  if (response.status === 401) tokenNeeded.value = true;
  const body = (await response.json().catch(() => ({}))) as { readonly error?: Omit<ApiError, 'status'> };
  if (response.ok) return { value: body as T };
  return { error: { message: `the dashboard answered ${response.status}`, ...body.error, status: response.status } };
}

/** Exchanges a token for a cookie, which `EventSource` sends too. False when the token is not known. */
export async function startSession(token: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  const { ok } = await fetch('/api/v1/session', { method: 'POST', headers }).catch(() => ({ ok: false }));
  if (ok) tokenNeeded.value = false;
  return ok;
}
