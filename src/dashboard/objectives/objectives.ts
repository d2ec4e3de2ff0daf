import { types } from 'node:util';
import { within } from '../../lifecycle/deadline.ts';
import type { Clock, Timer } from '../../utils/clock.ts';
import { describeError, IsotraceError } from '../../utils/errors.ts';
import type { TelemetryStore } from '../store/telemetry-store.ts';
import { isInScope, type TenantScope } from '../store/tenant-scope.ts';
import { AlertBoard, type Finding, judge } from './alert-board.ts';
import type { Alert, AlertFigures, AlertHandler, AlertRule, AlertRuleSettings, AlertSeverity } from './alert-rule.ts';
import { HandlerCalls, type HandlerState } from './handler-calls.ts';
import { type DeliveryFigures, readFigures } from './read-figures.ts';
import { resolveAlertRule, resolveSlo } from './resolve-objectives.ts';
import { evaluateSlo, type SloOptions, type SloSettings, type SloStatus } from './slo.ts';

export interface ObjectivesOptions {
  readonly store: TelemetryStore;
  readonly clock: Clock;
  /** How often rules are looked at. */
  readonly intervalMillis: number;
  /** What attached registries tell of their tenants. */
  readonly deliveries: () => readonly DeliveryFigures[];
  /** Called when an alert fires or is over. */
  readonly onAlert: () => void;
}

/** How a rule does. */
export interface RuleState {
  readonly name: string;
  readonly severity: AlertSeverity;
  readonly description: string;
  readonly forMillis: number;
  readonly windowMillis: number;
  /** 0 before the first time. */
  readonly lookedAtMillis: number;
  /** Looks, or questions to its function, that failed. */
  readonly failures: number;
  /** Empty without one. */
  readonly lastError: string;
}

/** The alerts of some tenants. */
export interface AlertPage {
  readonly alerts: readonly Alert[];
  /** Alerts beyond the limit. */
  readonly more: number;
  /** Alerts that there was no room for. */
  readonly omitted: number;
  /** For those who may see all tenants; else empty. */
  readonly rules: readonly RuleState[];
  readonly handlers: readonly HandlerState[];
}

interface Rule {
  readonly settings: AlertRuleSettings;
  state: Pick<RuleState, 'lookedAtMillis' | 'failures' | 'lastError'>;
  /** What each tenant had dropped at each look, for the increase within the window. */
  readonly drops: { readonly at: number; readonly byTenant: ReadonlyMap<string, number> }[];
}

const MAX_SLOS = 100;
const MAX_RULES = 100;
const PREDICATE_MILLIS = 5_000;
const MAX_ERROR_LENGTH = 512;
/** Looks that are remembered for the increase of drops. */
const MAX_LIVE_ALERTS = 200;
const MAX_LOOKS = 1_000;

/** The objectives and alert rules of a dashboard. One timer, and none without rules. */
export class Objectives {
  /** Of live pages. */
  readonly event = 'alerts';
  readonly #options: ObjectivesOptions;
  readonly #slos = new Map<string, SloSettings>();
  readonly #rules = new Map<string, Rule>();
  readonly #handlers: HandlerCalls;
  readonly #board: AlertBoard;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;

  constructor(options: ObjectivesOptions, handlers: readonly AlertHandler[] = []) {
    this.#options = options;
    this.#handlers = new HandlerCalls(handlers);
    this.#board = new AlertBoard((alert) => {
      options.onAlert();
      this.#handlers.tell(alert);
    });
  }

  /** What live pages are told. */
  describe(scope: TenantScope): Pick<AlertPage, 'alerts'> {
    return { alerts: this.alerts(scope, MAX_LIVE_ALERTS).alerts };
  }

  /** Whether there is anything to tell of. */
  get present(): boolean {
    return this.#rules.size > 0;
  }

  /** One of the same name takes the place of the first. Throws an `IsotraceError` on what is none. */
  addSlo(options: SloOptions): void {
    const settings = resolveSlo(options);
    if (!this.#slos.has(settings.name)) limit(this.#slos.size, MAX_SLOS, 'objectives');
    this.#slos.set(settings.name, settings);
  }

  /** One of the same name takes the place of the first. Throws an `IsotraceError` on what is none. */
  addRule(rule: AlertRule): void {
    const settings = resolveAlertRule(rule, (name) => this.#slos.has(name));
    if (!this.#rules.has(settings.name)) limit(this.#rules.size, MAX_RULES, 'alert rules');
    const state = { lookedAtMillis: 0, failures: 0, lastError: '' };
    this.#rules.set(settings.name, { settings, state, drops: [] });
    this.#schedule();
  }

  /** How the objectives do, of tenants in the scope; the ones closest to the end of their budget first. */
  async slos(scope: TenantScope): Promise<SloStatus[]> {
    const { store, clock } = this.#options;
    const answers: SloStatus[] = [];
    for (const slo of this.#slos.values()) answers.push(...(await evaluateSlo(store, slo, scope, clock.now())));
    return answers.sort((left, right) => right.burnRate - left.burnRate);
  }

  alerts(scope: TenantScope, maxAlerts: number): AlertPage {
    const alerts = this.#board.list((tenant) => isInScope(scope, tenant));
    const isOperator = scope === 'all';
    return {
      alerts: alerts.slice(0, maxAlerts),
      more: Math.max(alerts.length - maxAlerts, 0),
      omitted: isOperator ? this.#board.omitted : 0,
      rules: isOperator ? [...this.#rules.values()].map(describeRule) : [],
      handlers: isOperator ? this.#handlers.states : [],
    };
  }

  /** Looks at all rules now. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #schedule(): void {
    if (this.#closed || this.#rules.size === 0) return;
    const { clock, intervalMillis } = this.#options;
    this.#timer ??= clock.schedule(() => {
      void this.look().then(() => {
        this.#timer = undefined;
        this.#schedule();
      });
    }, intervalMillis);
  }

  async #look(): Promise<void> {
    for (const rule of this.#rules.values()) {
      if (this.#closed) return;
      const now = this.#options.clock.now();
      rule.state = { ...rule.state, lookedAtMillis: now };
      try {
        await this.#lookAt(rule, now);
      } catch (error) {
        fail(rule, error);
      }
    }
  }

  async #lookAt(rule: Rule, now: number): Promise<void> {
    const { store } = this.#options;
    const { settings } = rule;
    const slo = settings.slo === undefined ? undefined : this.#slos.get(settings.slo);
    const all = await readFigures(store, settings, slo, this.#recentDrops(rule, now), now);
    const { when } = settings;
    const findings: Finding[] = [];
    for (const figures of all) {
      const { tenant } = figures;
      if (typeof when !== 'function') findings.push({ tenant, ...judge(when, figures) });
      else {
        const isWrong = await this.#ask(rule, when, figures);
        if (isWrong === 'late') return fail(rule, 'the function of the rule did not answer in time');
        if (isWrong !== undefined) findings.push({ tenant, isWrong, value: undefined });
      }
    }
    this.#board.note(settings, findings, now);
  }

  /** Undefined when the user's function fails; `late` when it takes too long, which ends this look at its rule. */
  async #ask(
    rule: Rule,
    when: (figures: AlertFigures) => unknown,
    figures: AlertFigures,
  ): Promise<boolean | undefined | 'late'> {
    try {
      let answer = when(Object.freeze({ ...figures }));
      if (types.isPromise(answer)) {
        if (!(await within(this.#options.clock, PREDICATE_MILLIS, answer))) return 'late';
        answer = await answer;
      }
      if (typeof answer === 'boolean') return answer;
      throw new TypeError('the function of a rule answers true or false');
    } catch (error) {
      fail(rule, error);
      return undefined;
    }
  }

  /** The accounts of drops only grow: what counts is what was added within the rule's window. */
  #recentDrops({ drops, settings }: Rule, now: number): DeliveryFigures[] {
    const deliveries = new Map<string, DeliveryFigures>();
    for (const { tenant, dropped, failures, queued } of this.#options.deliveries()) {
      const other = deliveries.get(tenant);
      const sums = { dropped: dropped + (other?.dropped ?? 0), queued: queued + (other?.queued ?? 0) };
      deliveries.set(tenant, { tenant, ...sums, failures: Math.max(failures, other?.failures ?? 0) });
    }
    const byTenant = new Map([...deliveries.values()].map(({ tenant, dropped }) => [tenant, dropped]));
    drops.push({ at: now, byTenant });
    while (drops.length > MAX_LOOKS || (drops[1]?.at ?? now) <= now - settings.windowMillis) drops.shift();
    const before = drops[0]?.byTenant;
    return [...deliveries.values()].map((figures) => {
      const increase = figures.dropped - (before?.get(figures.tenant) ?? 0);
      // A tenant that came back counts from 0.
      return { ...figures, dropped: Math.max(increase, 0) };
    });
  }
}

function limit(size: number, max: number, what: string): void {
  if (size >= max) throw new IsotraceError('config_invalid', `there are ${max} ${what} at most`);
}

function fail(rule: Rule, error: unknown): void {
  const { failures } = rule.state;
  rule.state = { ...rule.state, failures: failures + 1, lastError: describeError(error).slice(0, MAX_ERROR_LENGTH) };
}

function describeRule({ settings, state }: Rule): RuleState {
  const { name, severity, description, forMillis, windowMillis } = settings;
  return { name, severity, description, forMillis, windowMillis, ...state };
}
