import type { DecodedSpan } from '../test/support/otlp-decoder.ts';
import { type OtlpReceiver, type ReceivedRequest, startReceiver } from '../test/support/otlp-receiver.ts';
import { failing, type ReceiverFault, randomly, seededRandom } from '../test/support/receiver-faults.ts';
import {
  type Arrival,
  type FromReceivers,
  payloadHash,
  type ReceiverOrders,
  receiverOf,
  type ToReceivers,
  tenantName,
} from './messages.ts';

const CHANGE_MILLIS = 100;
/** What a partial success of the soak refuses: the last spans of the request. */
const REFUSED = 2;

/** Survived by another attempt, or no fault at all to the sender. */
const PASSING: readonly ReceiverFault[] = [
  { mode: 'hang' },
  { mode: 'hang-before-body' },
  { mode: 'delay', millis: 300 },
  { mode: 'slow-read', intervalMillis: 50 },
  { mode: 'slow-body', intervalMillis: 100 },
  ...[429, 502, 503, 504].map((status): ReceiverFault => ({ mode: 'status', status })),
  { mode: 'throttle', status: 503, retryAfter: 1 },
  { mode: 'throttle', status: 503, retryAfter: 'soon' },
  { mode: 'reset-before-body' },
  { mode: 'reset-before-status' },
  { mode: 'reset-after-status' },
  { mode: 'reset-mid-body' },
  { mode: 'close-before-status' },
  { mode: 'cut-body' },
  { mode: 'stored-then-reset' },
  { mode: 'early-answer', status: 503 },
  { mode: 'ok-then-close' },
  { mode: 'goaway' },
  { mode: 'rst-stream' },
];
/** Cost spans, which have to be counted. */
const PERMANENT: readonly ReceiverFault[] = [
  { mode: 'status', status: 400 },
  { mode: 'status', status: 500 },
  { mode: 'partial-success', rejected: REFUSED, message: 'too old' },
];
/** Leave the tenant alone for a minute. */
const PROBED: readonly ReceiverFault[] = [
  { mode: 'status', status: 401 },
  { mode: 'status', status: 403 },
  { mode: 'redirect', status: 307, location: 'http://127.0.0.1:1/' },
];

/** Those of this process, by their number among all. */
const receivers = new Map<number, OtlpReceiver>();
let changing: NodeJS.Timeout | undefined;
let isHealed = false;

process.on('message', (message: ToReceivers) => {
  if (message.type === 'start') void start(message.orders);
  else heal();
});

async function start(orders: ReceiverOrders): Promise<void> {
  for (const { index, grpc, port } of orders.receivers) {
    const observe = (request: ReceivedRequest): Promise<void> => take(index, request);
    receivers.set(index, await startReceiver({ protocol: grpc ? 'grpc' : 'http', port, observe }));
  }
  if (orders.faults !== 'none' && !isHealed) changing = setInterval(changeFaults(orders), CHANGE_MILLIS);
  await send({ type: 'listening', ports: [...receivers.values()].map(({ port }) => port) });
}

/** Each time one tenant gets another fate, and sometimes a whole receiver. */
function changeFaults({ tenants, seed, faults, total }: ReceiverOrders): () => void {
  const random = seededRandom(seed);
  const here = [...receivers.values()];
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  return () => {
    const tenantId = tenantName(Math.floor(random() * tenants));
    const receiver = receivers.get(receiverOf(tenantId, total));
    const draw = random();
    if (draw < 0.5) receiver?.setFaultOf(tenantId, undefined);
    else if (draw < 0.75) receiver?.setFaultOf(tenantId, randomly(0.7, PASSING, Math.floor(random() * 1e9)));
    else if (draw < 0.85) receiver?.setFaultOf(tenantId, failing(1 + Math.floor(random() * 3), pick(PASSING)));
    else if (draw < 0.93) receiver?.setFaultOf(tenantId, failing(1, pick(PERMANENT)));
    else if (draw < 0.94 && faults === 'all') receiver?.setFaultOf(tenantId, failing(2, pick(PROBED)));
    else if (draw > 0.995) interrupt(pick(here), random);
    else if (draw > 0.985) pick(here).resetConnections();
  };
}

function interrupt(receiver: OtlpReceiver, random: () => number): void {
  receiver.setConnectionFault(random() < 0.5 ? 'reset' : 'silent');
  setTimeout(() => receiver.setConnectionFault('none'), random() * 1_500);
}

function heal(): void {
  isHealed = true;
  clearInterval(changing);
  for (const receiver of receivers.values()) {
    receiver.setConnectionFault('none');
    receiver.clearFaults();
  }
}

async function take(index: number, request: ReceivedRequest): Promise<void> {
  if (!request.accepted) return;
  const kept = request.spans.slice(0, Math.max(request.spans.length - request.rejected, 0));
  await send({ type: 'arrived', arrivals: kept.map((span) => arrivalOf(index, request, span)) });
}

function arrivalOf(receiver: number, { headers, tenantId, acknowledged }: ReceivedRequest, span: DecodedSpan): Arrival {
  const token = /^Bearer (tenant-\d+):\d+$/.exec(headers.authorization ?? '')?.[1];
  const { owner = 'nobody', ...attributes } = span.attributes;
  return {
    sentAs: token === tenantId ? tenantId : undefined,
    owner: String(owner),
    receiver,
    spanId: span.spanId,
    hash: payloadHash(span.name, attributes),
    acknowledged,
  };
}

/** Resolves when the kernel has the message, which then survives this process. */
function send(message: FromReceivers): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, () => resolve());
  });
}
