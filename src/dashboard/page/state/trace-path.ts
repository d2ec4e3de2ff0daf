import { param } from './address.ts';
import { apiPath } from './api.ts';
import { tenantValues } from './scope.ts';

const MOST_SPANS = 50_000;

/** The tenant whose trace is meant; all without one. */
export function traceTenant(): string | number | undefined {
  return param('of') || tenantValues()['tenant'];
}

/** What a trace is asked for with. */
export function tracePath(traceId: string, tenant: string | number | undefined): string {
  return apiPath(`traces/${traceId}`, { tenant, limit: MOST_SPANS, format: 'compact' });
}

/** The trace that an address shows. */
export function traceOf(path: string): string | undefined {
  return path.startsWith('/t/') ? path.slice(3).toLowerCase() : undefined;
}
