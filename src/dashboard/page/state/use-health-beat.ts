import { useEffect, useState } from 'preact/hooks';
import { paused } from './live.ts';

const BEAT_MILLIS = 2_000;

/** Counts up while the page is seen: how tenants do changes without anything coming in. */
export function useHealthBeat(): number {
  const [beat, setBeat] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden && !paused.value) setBeat((number) => number + 1);
    }, BEAT_MILLIS);
    return () => clearInterval(timer);
  }, []);
  return beat;
}
