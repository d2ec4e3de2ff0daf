import type { Question } from './question.ts';

/** Every question by its name on the command line. Loaded one at a time: a child measures in a process without the others. */
export const QUESTIONS: Readonly<Record<string, () => Promise<Question>>> = {
  span: async () => (await import('../span.ts')).span,
  metrics: async () => (await import('../metrics.ts')).metrics,
  signals: async () => (await import('../signals.ts')).signals,
  routing: async () => (await import('../routing.ts')).routing,
  growth: async () => (await import('../growth.ts')).growth,
  'end-to-end': async () => (await import('../end-to-end.ts')).endToEnd,
  memory: async () => (await import('../memory.ts')).memory,
  tenants: async () => (await import('../tenants.ts')).tenants,
  lookup: async () => (await import('../lookup.ts')).lookup,
  neighbours: async () => (await import('../neighbours.ts')).neighbours,
  shutdown: async () => (await import('../shutdown.ts')).shutdown,
  burst: async () => (await import('../burst.ts')).burst,
  'dashboard-store': async () => (await import('../dashboard-store.ts')).dashboardStore,
  page: async () => (await import('../page.ts')).page,
  'dashboard-hardening': async () => (await import('../dashboard-hardening.ts')).dashboardHardening,
  import: async () => (await import('../import.ts')).imports,
};
