import { address, param, setParams } from './address.ts';
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

/** Whether the range ends now, so that what comes in belongs to it. */
export function isRolling(): boolean {
  return !/^\d+$/.test(param('from'));
}

export function lastOf(): string {
  const last = param('last');
  return /^\d{1,6}[smh]$/.test(last) ? last : DEFAULT_LAST;
}

/** In milliseconds since the epoch; of a rolling one as it is now. */
export function timeRange(now = Date.now()): { readonly start: number; readonly end: number } {
  if (isRolling()) {
    const last = lastOf();
    return { start: now - Number.parseInt(last, 10) * (UNIT_MILLIS[last.slice(-1)] ?? 0), end: now };
  }
  const start = Number(param('from'));
  const end = /^\d+$/.test(param('to')) ? Number(param('to')) : now;
  return { start, end: Math.max(end, start + 1) };
}

/** `start` and `end` undefined go back to what rolls. */
export function chooseRange(start: number, end: number): void {
  setParams({ from: String(Math.floor(start)), to: String(Math.ceil(end)) });
}

export function chooseLast(last: string): void {
  setParams({ last, from: undefined, to: undefined });
}

/** As parameters of the API. */
export function scopeValues(): Values {
  const { params } = address.value;
  const tenant = params.get('tenant') ?? '';
  if (isRolling()) return { tenant, start: `-${lastOf()}` };
  const { start, end } = timeRange();
  return { tenant, start, end };
}

export function tenantValues(): Values {
  return { tenant: param('tenant') };
}
