import { param, setParams } from './address.ts';

/** The part of a trace's time that is shown, as shares of the whole. */
export interface Zoom {
  readonly from: number;
  readonly to: number;
}

const WHOLE: Zoom = { from: 0, to: 1 };
const SMALLEST = 1e-6;

export function zoomOf(): Zoom {
  const [from = Number.NaN, to = Number.NaN] = param('zoom').split('-').map(Number);
  return from >= 0 && to <= 1 && to - from >= SMALLEST ? { from, to } : WHOLE;
}

export function setZoom(from: number, to: number): void {
  const [low, high] = [Math.max(Math.min(from, to), 0), Math.min(Math.max(from, to), 1)];
  const zoom = high - low < SMALLEST || (low === 0 && high === 1) ? undefined : `${short(low)}-${short(high)}`;
  setParams({ zoom }, { replace: true });
}

function short(share: number): string {
  return String(Number(share.toFixed(7)));
}
