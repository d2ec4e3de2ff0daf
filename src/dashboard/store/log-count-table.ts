import type { LogCountAnswer, LogCountGroup } from './telemetry-store.ts';

/** Gathers how many log records there are, by tenant and step. */
export class LogCountTable {
  readonly #stepMillis: number;
  readonly #tenants = new Map<string, Map<number, number>>();

  constructor(stepMillis: number) {
    this.#stepMillis = stepMillis;
  }

  /** Steps are numbered from the epoch on. */
  add(tenant: string, step: number, count: number): void {
    const steps = this.#tenants.get(tenant) ?? new Map<number, number>();
    this.#tenants.set(tenant, steps);
    steps.set(step, (steps.get(step) ?? 0) + count);
  }

  answer(limit: number): Omit<LogCountAnswer, 'partial'> {
    const groups = [...this.#tenants].map(([tenant, steps]) => this.#toGroup(tenant, steps));
    groups.sort((left, right) => right.count - left.count || (left.tenant < right.tenant ? -1 : 1));
    return { groups: groups.slice(0, limit), more: groups.length > limit };
  }

  #toGroup(tenant: string, counts: ReadonlyMap<number, number>): LogCountGroup {
    const steps = [...counts]
      .sort(([left], [right]) => left - right)
      .map(([step, count]) => ({ timeMillis: step * this.#stepMillis, count }));
    return { tenant, count: steps.reduce((sum, step) => sum + step.count, 0), steps };
  }
}
