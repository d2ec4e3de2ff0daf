import type { Signal } from '../../otlp/signal.ts';

/** What the addresses `health`, `pending`, `slos` and `alerts` answer, as far as it is shown. */
export interface WireHealth {
  readonly attached: number;
  readonly more: number;
  readonly tenants: readonly TenantState[];
}

export interface TenantState {
  readonly tenant: string;
  readonly registry: number;
  readonly platform: boolean;
  readonly state: string;
  readonly ok: boolean;
  readonly reason: string;
  readonly open: number;
  readonly bytes: number;
  readonly lost: number;
  readonly signals: { readonly [S in Signal]?: Account };
  readonly destinations: readonly DestinationState[];
  readonly issues: readonly unknown[];
  readonly switchedOff: readonly string[];
  readonly spoolProblem: string;
}

export interface Account {
  readonly created: number;
  readonly exported: number;
  readonly queued: number;
  readonly spooled: number;
  readonly dropped: Readonly<Record<string, number>>;
}

export interface DestinationState {
  readonly destination: string;
  readonly condition: string;
  readonly breaker: 'closed' | 'open';
  readonly credentials: 'ok' | 'refused';
  readonly queued: number;
  readonly failures: number;
  readonly lastError?: string;
}

export interface WirePending {
  readonly more: number;
  readonly pending: readonly {
    readonly tenant: string;
    readonly traceId: string;
    readonly spanId: string;
    readonly name: string;
    readonly startMillis: number;
  }[];
}

export interface WireSlos {
  readonly slos: readonly {
    readonly name: string;
    readonly tenant: string;
    readonly indicator: string;
    readonly target: number;
    readonly windowMillis: number;
    readonly total: number;
    readonly good: number;
    readonly value: number;
    readonly met: boolean;
    readonly budget: { readonly allowed: number; readonly used: number; readonly remaining: number };
    readonly burnRate: number;
    readonly policy: string;
    readonly partial: boolean;
  }[];
}

export interface WireAlerts {
  readonly alerts: readonly {
    readonly rule: string;
    readonly severity: 'info' | 'warning' | 'critical';
    readonly description: string;
    readonly tenant: string;
    readonly state: 'pending' | 'firing' | 'resolved';
    readonly sinceMillis: number;
    readonly resolvedMillis: number;
    readonly value?: number;
  }[];
}
