import type { Attributes, Meter, MetricOptions } from '@opentelemetry/api';
import { createNoopMeter } from '@opentelemetry/api';

interface Point {
  readonly value: number;
  readonly attributes: Attributes;
}

/** An OpenTelemetry meter that keeps what is measured. */
export function recordingMeter(): {
  readonly meter: Meter;
  readonly instruments: Record<string, MetricOptions | undefined>;
  of(instrument: string): readonly Point[];
} {
  const points: Record<string, Point[]> = {};
  const instruments: Record<string, MetricOptions | undefined> = {};
  const instrument = (name: string, options?: MetricOptions) => {
    instruments[name] = options;
    const list: Point[] = [];
    points[name] = list;
    return (value: number, attributes: Attributes = {}): void => void list.push({ value, attributes });
  };
  const meter: Meter = Object.assign(Object.create(createNoopMeter()), {
    createHistogram: (name: string, options?: MetricOptions) => ({ record: instrument(name, options) }),
    createUpDownCounter: (name: string, options?: MetricOptions) => ({ add: instrument(name, options) }),
  });
  return { meter, instruments, of: (name) => points[name] ?? [] };
}
