import { consuming, publishing } from 'isotrace/messaging';
import { registry } from './telemetry.ts';

/** A document of a tenant, on its way through the queue. */
export interface Job {
  readonly tenant: string;
  readonly text: string;
  /** Carries the trace; never the tenant. */
  readonly headers: Record<string, string>;
}

const SYSTEM = { system: 'memory', destination: 'documents' };

/** In a request of the tenant: its trace goes on where the job is done. */
export function enqueue(queue: Job[], tenant: string, text: string): void {
  const job: Job = { tenant, text, headers: {} };
  publishing(registry, { ...SYSTEM, carriers: [job.headers] }, () => queue.push(job));
}

/** Makes a handler of jobs: each runs as its tenant, in the trace of the request that queued it. */
export function handler<R>(work: (job: Job) => Promise<R>): (job: Job) => Promise<R> {
  const options = { tenant: (job: Job) => job.tenant, carrier: (job: Job) => job.headers, facts: () => SYSTEM };
  return consuming(registry, options, work);
}
