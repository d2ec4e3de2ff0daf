import { param, setParams } from './address.ts';
import type { Values } from './api.ts';

export const RANGES: readonly (readonly [last: string, words: string])[] = [
  ['5m', 'Last 5 minutes'],
  ['15m', 'Last 15 minutes'],
  ['1h', 'Last hour'],
  ['6h', 'Last 6 hours'],
  ['24h', 'Last 24 hours'],
  ['168h', 'Last 7 days'],
];
const DEFAULT_LAST = '1h';
const UNIT_MILLIS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** The tenants that were chosen; none means all. */
export function chosenTenants(): readonly string[] {
  return param('tenant').split(',').filter(Boolean);
}

export function chooseTenants(tenants: readonly string[]): void {
  setParams({ tenant: tenants.join(',') });
}

/** Whether the range has no end, so that what comes in belongs to it. */
export function isRolling(): boolean {
  return millisOf('to') === undefined;
}

/** From when on, where that was chosen exactly. */
export function exactStart(): number | undefined {
  return millisOf('from');
}

export function lastOf(): string {
  const last = param('last');
  return /^\d{1,6}[smh]$/.test(last) ? last : DEFAULT_LAST;
}

/** In milliseconds since the epoch; of a rolling one as it is now. */
export function timeRange(now = Date.now()): { readonly start: number; readonly end: number } {
  const last = lastOf();
  const end = millisOf('to') ?? now;
  const start = millisOf('from') ?? end - Number.parseInt(last, 10) * (UNIT_MILLIS[last.slice(-1)] ?? 0);
  return { start, end: Math.max(end, start + 1) };
}

export function chooseRange(start: number, end: number): void {
  setParams({ from: String(Math.floor(start)), to: String(Math.ceil(end)) });
}

export function chooseLast(last: string): void {
  setParams({ last, from: undefined, to: undefined });
}

/** As parameters of the API: the same ones as time goes by, unless something else is chosen. */
export function scopeValues(): Values {
  const [start, end] = [millisOf('from'), millisOf('to')];
  return { tenant: param('tenant'), start: start ?? (end === undefined ? `-${lastOf()}` : timeRange().start), end };
}

export function tenantValues(): Values {
  return { tenant: param('tenant') };
}

function millisOf(name: string): number | undefined {
  return /^\d{1,15}$/.test(param(name)) ? Number(param(name)) : undefined;
}
