import type { Agenda, Job } from './agenda.ts';

/** The agenda is this late only when the whole process stood still. */
const STALL_MILLIS = 250;
/** So late it is when the process is busy: what it waits for may be there already. */
const BUSY_MILLIS = 50;
/** For how long that is an excuse. */
const EXCUSED_MILLIS = 1_000;

/**
 * Calls `overdue` once a request takes longer than `patienceMillis`. If the process stood still meanwhile, or was busy
 * within the first second, the receiver gets its time anew. To be cancelled in the agenda when the request ends.
 */
export function watchOverdue(agenda: Agenda, patienceMillis: number, overdue: () => void): Job {
  const startedAt = agenda.now();
  let at = startedAt + patienceMillis;
  const job: Job = {
    due: (now) => {
      const limit = now - startedAt < EXCUSED_MILLIS ? BUSY_MILLIS : STALL_MILLIS;
      if (now - at < limit) {
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
