import type { Alert, AlertFigures, AlertRuleSettings } from './alert-rule.ts';

/** Alerts that are pending or firing; beyond them new ones are only counted. */
const MAX_ALERTS = 10_000;
/** Alerts that are over and still shown, the latest. */
const MAX_RESOLVED = 1_000;

/** What one look at a rule found for one tenant. */
export interface Finding {
  readonly tenant: string;
  readonly isWrong: boolean;
  readonly value: number | undefined;
}

/**
 * The alerts there are: one for each rule and tenant, which is told of once when it fires and once when it is over,
 * however often its rule is looked at in between.
 */
export class AlertBoard {
  readonly #changed: (alert: Alert) => void;
  readonly #alerts = new Map<string, Alert>();
  readonly #resolved: Alert[] = [];
  /** Alerts that there was no room for. */
  omitted = 0;

  /** `changed` is told of each alert that fires and each that is over. */
  constructor(changed: (alert: Alert) => void) {
    this.#changed = changed;
  }

  /** Those that fire or are pending, then those that are over, the latest first. */
  list(isWanted: (tenant: string) => boolean): Alert[] {
    const order = (alert: Alert): number => (alert.state === 'firing' ? 0 : 1);
    const current = [...this.#alerts.values()].filter(({ tenant }) => isWanted(tenant));
    current.sort((left, right) => order(left) - order(right) || right.sinceMillis - left.sinceMillis);
    return [...current, ...this.#resolved.filter(({ tenant }) => isWanted(tenant)).reverse()];
  }

  /** Notes what a look at a rule found. Tenants that are missing are as they were: nothing was learnt of them. */
  note(rule: AlertRuleSettings, findings: readonly Finding[], now: number): void {
    for (const finding of findings) {
      const key = JSON.stringify([rule.name, finding.tenant]);
      const alert = this.#alerts.get(key);
      if (!finding.isWrong) {
        if (alert !== undefined) this.#end(key, alert, finding.value, now);
        continue;
      }
      if (alert === undefined && this.#alerts.size >= MAX_ALERTS) {
        this.omitted += 1;
        continue;
      }
      this.#hold(key, alert ?? newAlert(rule, finding.tenant, now), rule, finding.value, now);
    }
  }

  #hold(key: string, alert: Alert, { forMillis }: AlertRuleSettings, value: Finding['value'], now: number): void {
    const fires = alert.state === 'pending' && now - alert.sinceMillis >= forMillis;
    const next: Alert = { ...alert, value, ...(fires && { state: 'firing', firedMillis: now }) };
    this.#alerts.set(key, next);
    if (fires) this.#changed(next);
  }

  /** One that never fired leaves no trace. */
  #end(key: string, alert: Alert, value: Finding['value'], now: number): void {
    this.#alerts.delete(key);
    if (alert.state !== 'firing') return;
    const next: Alert = { ...alert, value, state: 'resolved', resolvedMillis: now };
    this.#resolved.push(next);
    if (this.#resolved.length > MAX_RESOLVED) this.#resolved.shift();
    this.#changed(next);
  }
}

/** The figure of a threshold, and whether it is on the wrong side. */
export function judge(
  { figure, above, below }: Exclude<AlertRuleSettings['when'], (...args: never) => unknown>,
  figures: AlertFigures,
): Omit<Finding, 'tenant'> {
  const value = figures[figure];
  const isWrong = above === undefined ? value < (below ?? Number.NaN) : value > above;
  return { value: Number.isNaN(value) ? undefined : value, isWrong };
}

function newAlert({ name, severity, description }: AlertRuleSettings, tenant: string, now: number): Alert {
  const times = { sinceMillis: now, firedMillis: 0, resolvedMillis: 0 };
  return { rule: name, severity, description, tenant, state: 'pending', ...times, value: undefined };
}
