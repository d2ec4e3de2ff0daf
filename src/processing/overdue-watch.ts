import type { Agenda, Job } from './agenda.ts';

/** The agenda is this late only when the whole process stood still. */
const STALL_MILLIS = 250;

/**
 * Calls `overdue` once a request takes longer than `patienceMillis`. If the process stood still meanwhile, the receiver
 * gets its time anew. To be cancelled in the agenda when the request ends.
 */
export function watchOverdue(agenda: Agenda, patienceMillis: number, overdue: () => void): Job {
  let at = agenda.now() + patienceMillis;
  const job: Job = {
    due: (now) => {
      if (now - at < STALL_MILLIS) {
        overdue();
        return;
      }
      at = now + patienceMillis;
      agenda.schedule(job, at);
    },
  };
  agenda.schedule(job, at);
  return job;
}
