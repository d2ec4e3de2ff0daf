import { describe, expect, it } from 'vitest';
import { canBecome, isRecordingState, type TracerState } from '../../src/lifecycle/tracer-state.ts';

const STATES: readonly TracerState[] = ['pending', 'active', 'degraded', 'draining', 'dormant', 'disabled', 'closed'];

describe('the states of a tracer', () => {
  it('have exactly these steps between them', () => {
    const steps = STATES.map((from) => `${from}: ${STATES.filter((to) => canBecome(from, to)).join(' ')}`.trim());
    expect(steps).toEqual([
      'pending: active degraded draining disabled closed',
      'active: draining disabled closed',
      'degraded: active draining disabled closed',
      'draining: pending active degraded dormant disabled closed',
      'dormant: pending closed',
      'disabled: pending closed',
      'closed:',
    ]);
  });

  it('record while there is, or may come, a configuration', () => {
    expect(STATES.filter(isRecordingState)).toEqual(['pending', 'active', 'degraded']);
  });
});
