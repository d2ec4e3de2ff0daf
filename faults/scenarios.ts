import type { OtlpReceiver } from '../test/support/otlp-receiver.ts';
import { failing, type ReceiverFault } from '../test/support/receiver-faults.ts';
import type { HostOrders } from './orders.ts';

export interface Scenario {
  /** The number of the finding that it repeats. */
  readonly id: string;
  readonly title: string;
  readonly orders: Omit<HostOrders, 'product' | 'endpoint'>;
  /** What the receiver does, from the beginning. */
  readonly prepare?: (receiver: OtlpReceiver) => void;
  /** So long after the host is ready the receiver is well again, on the same port. */
  readonly healsAfterMillis?: number;
  /** The stock SDK has no part in it, and why. */
  readonly stockMissing?: string;
}

const OUTAGE_MILLIS = 12_000;

function withFault(fault: ReceiverFault): (receiver: OtlpReceiver) => void {
  return (receiver) => receiver.setFault(fault);
}

function atFirst(times: number, fault: ReceiverFault): (receiver: OtlpReceiver) => void {
  return (receiver) => receiver.setFault(failing(times, fault));
}

const TEN = { spans: 10, end: 'shutdown' } as const;

export const SCENARIOS: readonly Scenario[] = [
  { id: 'S1', title: 'six hostile calls on a span', orders: { ...TEN, hostile: true } },
  { id: 'S2', title: '10,000 spans in one tick', orders: { spans: 10_000, end: 'shutdown' } },
  {
    id: 'S3',
    title: 'connections are refused for 12 s',
    orders: { ...TEN, waitMillis: 16_000 },
    prepare: (receiver) => void receiver.refuse(),
    healsAfterMillis: OUTAGE_MILLIS,
  },
  {
    id: 'S4a',
    title: '503 for 12 s',
    orders: { ...TEN, waitMillis: 16_000 },
    prepare: withFault({ mode: 'status', status: 503 }),
    healsAfterMillis: OUTAGE_MILLIS,
  },
  {
    id: 'S4b',
    title: 'hangs for 12 s',
    orders: { ...TEN, waitMillis: 16_000 },
    prepare: withFault({ mode: 'hang' }),
    healsAfterMillis: OUTAGE_MILLIS,
  },
  {
    id: 'S4c',
    title: '503 three times',
    orders: { ...TEN, waitMillis: 12_000 },
    prepare: atFirst(3, { mode: 'status', status: 503 }),
  },
  {
    id: 'S5',
    title: '429 with `Retry-After: 15`',
    orders: { ...TEN, waitMillis: 12_000 },
    prepare: atFirst(1, { mode: 'throttle', retryAfter: 15 }),
  },
  {
    id: 'S6',
    title: '503 with `Retry-After: 0`, asked for 2 s',
    orders: { ...TEN, waitMillis: 2_000 },
    prepare: withFault({ mode: 'throttle', status: 503, retryAfter: 0 }),
    healsAfterMillis: 2_000,
  },
  {
    id: 'S7',
    title: '200, then the connection breaks in the body',
    orders: { ...TEN, waitMillis: 12_000 },
    prepare: withFault({ mode: 'reset-mid-body' }),
  },
  {
    id: 'S8',
    title: '200, then a byte each 500 ms',
    orders: TEN,
    prepare: withFault({ mode: 'slow-body', intervalMillis: 500 }),
  },
  {
    id: 'S9',
    title: 'gRPC: UNAVAILABLE once',
    orders: { ...TEN, protocol: 'grpc', waitMillis: 4_000 },
    prepare: atFirst(1, { mode: 'grpc-status', code: 14 }),
    stockMissing: 'its gRPC exporter is not installed here',
  },
  {
    id: 'S10',
    title: 'an exporter that throws; the process just ends',
    orders: { spans: 10, exporter: 'throws', end: 'nothing', waitMillis: 1_000 },
  },
  {
    id: 'S11',
    title: 'an exporter that never answers; the process just ends',
    orders: { spans: 10, exporter: 'silent', end: 'nothing', waitMillis: 1_000 },
  },
  {
    id: 'S12',
    title: 'flush while a batch is under way, answered after 1 s',
    orders: { spans: 10, end: 'flush', waitMillis: 800 },
    prepare: withFault({ mode: 'delay', millis: 1_000 }),
  },
  {
    id: 'S13',
    title: 'shutdown while the receiver answers 503',
    orders: TEN,
    prepare: withFault({ mode: 'status', status: 503 }),
  },
  { id: 'S14', title: 'a span that ends after shutdown', orders: { spans: 10, end: 'late span' } },
  { id: 'S15a', title: 'the process just ends', orders: { spans: 100, end: 'nothing' } },
  { id: 'S15b', title: 'SIGTERM', orders: { spans: 100, end: 'signal' } },
  { id: 'S16', title: 'one bad span among 100', orders: { spans: 100, poison: true, end: 'shutdown' } },
  { id: 'S17', title: '200 tenants of one receiver', orders: { spans: 1, tenants: 200, end: 'shutdown' } },
  {
    id: 'S24',
    title: 'a compressed answer of 200 MiB',
    orders: TEN,
    prepare: withFault({ mode: 'gzip-bomb', bytes: 200 * 1_048_576 }),
  },
  {
    id: 'F1',
    title: 'reset before the answer, once',
    orders: { ...TEN, waitMillis: 3_000 },
    prepare: atFirst(1, { mode: 'reset-before-status' }),
  },
  {
    id: 'F2',
    title: 'a redirect to another receiver',
    orders: TEN,
    prepare: withFault({ mode: 'redirect', status: 307, location: 'http://127.0.0.1:1/' }),
  },
  {
    id: 'F3',
    title: '401 once: the credentials were just rotated',
    orders: TEN,
    prepare: atFirst(1, { mode: 'status', status: 401 }),
  },
];
