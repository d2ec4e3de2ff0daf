/**
 * Where a tracer stands.
 * - `pending`: its configuration is on the way; it records and keeps.
 * - `active`: it records and exports.
 * - `degraded`: its configuration could not be had; it records and keeps, and asks again.
 * - `draining`: it was evicted and delivers what it has; using it makes it active again.
 * - `dormant`: it was evicted and holds nothing; using it makes it active again.
 * - `disabled`: there is no such tenant; it does nothing.
 * - `closed`: it was shut down; it does nothing.
 */
export type TracerState = 'pending' | 'active' | 'degraded' | 'draining' | 'dormant' | 'disabled' | 'closed';

const NEXT: Readonly<Record<TracerState, readonly TracerState[]>> = {
  pending: ['active', 'degraded', 'draining', 'disabled', 'closed'],
  active: ['draining', 'disabled', 'closed'],
  degraded: ['active', 'draining', 'disabled', 'closed'],
  draining: ['pending', 'active', 'degraded', 'dormant', 'disabled', 'closed'],
  dormant: ['pending', 'closed'],
  disabled: ['pending', 'closed'],
  closed: [],
};

/** Whether the transition table has a step between two states. */
export function canBecome(from: TracerState, to: TracerState): boolean {
  return NEXT[from].includes(to);
}

/** Whether a tracer in this state records spans. */
export function isRecordingState(state: TracerState): boolean {
  return state === 'pending' || state === 'active' || state === 'degraded';
}

/** Whether there is something of the tenant that a changed configuration is for. */
export function isInUseState(state: TracerState): boolean {
  return isRecordingState(state) || state === 'draining';
}
