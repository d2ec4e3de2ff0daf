import { batch, computed, effect, signal } from '@preact/signals';
import type { TenantArrivals } from '../../store/store-figures.ts';
import type { TraceSummary } from '../../store/telemetry-store.ts';
import type { WireLog } from '../model/wire.ts';
import { param } from './address.ts';
import { apiPath, ask, RETRY_MILLIS, tokenNeeded } from './api.ts';
import { isRolling } from './scope.ts';

export interface LiveUpdate {
  readonly arrived: readonly TenantArrivals[];
  readonly traces: readonly TraceSummary[];
  readonly logs: readonly WireLog[];
  readonly skipped: number;
}

export type LiveState = 'off' | 'connecting' | 'live' | 'broken';

/** What a view wants to hear of: traces and log records by query. */
export interface Interest {
  readonly query: string;
  readonly logs: string;
}

/** A query that finds nothing: the numbers of what comes in are told all the same. */
export const NO_MATCH = 'trace:none';

export const liveState = signal<LiveState>('off');
export const paused = signal(false);
/** What came in while it was paused. */
export const waiting = signal(0);
/** Not shown because it was too much at once. */
export const skipped = signal(0);
/** Spans, log records and points in the last seconds, one number a second. */
export const rates = signal<readonly number[]>([]);
/** Goes up, at most once a second, when there is something new to ask for. */
export const pulse = signal(0);
/** Goes up when something may have been missed: what lists show has to be asked for once more. */
export const gap = signal(0);
export const interest = signal<Interest>({ query: NO_MATCH, logs: NO_MATCH });

const RATE_SECONDS = 30;
/** So that what follows is shown before a slow answer is asked for again. */
const PULSE_MILLIS = 1_000;

type Listener = (update: LiveUpdate) => void;

const listeners = new Set<Listener>();
const counters = { arrived: 0, changed: false, gap: false };

/** Hears of each update that comes while it is not paused; afterwards `gap` goes up. */
export function onLive(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Follows what comes in as long as the page is seen and may see it, one stream at a time. */
export function startLive(): void {
  const hidden = signal(document.hidden);
  document.addEventListener('visibilitychange', () => {
    hidden.value = document.hidden;
  });
  // What else changes in the address is nothing to the stream: it goes on.
  const path = computed(() => {
    const { query, logs } = interest.value;
    if (hidden.value || tokenNeeded.value || !isRolling()) return undefined;
    return apiPath('live', { tenant: param('tenant'), query, logs, limit: 200 });
  });
  effect(() => {
    if (path.value !== undefined) return follow(path.value);
    liveState.value = 'off';
    return undefined;
  });
  setInterval(tick, PULSE_MILLIS);
}

/** Until the function that it returns is called. */
function follow(path: string): () => void {
  liveState.value = 'connecting';
  let retry: ReturnType<typeof setTimeout> | undefined;
  let source: EventSource | undefined;
  const connect = (): void => {
    source = new EventSource(path);
    source.addEventListener('open', () => {
      // What the dashboard knew before it was away may be gone.
      if (liveState.value === 'broken') missed();
      liveState.value = 'live';
    });
    const first = { now: true };
    source.addEventListener('update', (event) => {
      // It follows from here on; what came in since the list was read is in neither.
      if (first.now) missed();
      first.now = false;
      receive(JSON.parse(String(event.data)) as LiveUpdate);
    });
    source.addEventListener('error', () => {
      liveState.value = 'broken';
      // It comes back by itself unless it was refused; why, an ordinary question tells.
      if (source?.readyState !== EventSource.CLOSED) return;
      void ask(apiPath('stats'));
      retry = setTimeout(connect, RETRY_MILLIS);
    });
  };
  connect();
  return () => {
    clearTimeout(retry);
    source?.close();
  };
}

/** All that is shown has to be asked for once more: lists at once, sums at the next beat, and neither while it is paused. */
function missed(): void {
  counters.changed = true;
  if (paused.value) counters.gap = true;
  else gap.value += 1;
}

function receive(update: LiveUpdate): void {
  for (const { traces, logs, metrics } of update.arrived) counters.arrived += traces + logs + metrics;
  counters.changed ||= update.arrived.length > 0;
  batch(() => {
    if (liveState.value !== 'live') liveState.value = 'live';
    if (update.skipped > 0) {
      skipped.value += update.skipped;
      counters.gap = true;
    }
    if (paused.value) waiting.value += update.traces.length + update.logs.length;
    else for (const listener of listeners) listener(update);
  });
}

function tick(): void {
  batch(() => {
    rates.value = [...rates.value.slice(1 - RATE_SECONDS), counters.arrived];
    if (counters.changed && !paused.value) pulse.value += 1;
    if (counters.gap && !paused.value) gap.value += 1;
  });
  counters.arrived = 0;
  if (paused.value) return;
  counters.changed = false;
  counters.gap = false;
}

export function togglePause(): void {
  batch(() => {
    paused.value = !paused.value;
    if (!paused.value) {
      gap.value += 1;
      counters.gap = false;
    }
    waiting.value = 0;
    skipped.value = 0;
  });
}
