import { parseArgs } from 'node:util';
import { Child } from './child.ts';
import { type HeapSample, heapTrend } from './heap.ts';
import type { Endpoint, FromHost, SoakOrders, ToHost } from './messages.ts';
import { Oracle } from './oracle.ts';
import { type OracleInput, type Plant, plantedInput } from './plant.ts';
import { ReceiverProcess } from './receiver-process.ts';

const { values } = parseArgs({
  options: {
    /** Of faults; what follows takes up to two more. */
    minutes: { type: 'string', default: '10' },
    tenants: { type: 'string', default: '200' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
    faults: { type: 'string', default: 'all' },
    /** `http`: without gRPC. */
    protocols: { type: 'string', default: 'all' },
    json: { type: 'boolean', default: false },
    /** See {@link Plant}. */
    plant: { type: 'string', default: 'none' },
  },
});

const minutes = Number(values.minutes);
const seed = Number(values.seed);
const tenants = Number(values.tenants);
const faults = values.faults as SoakOrders['faults'];

/** In a shorter run the process is still warming up, and a slope says nothing about the hours to come. */
const LONG_MINUTES = 30;
const MAX_BYTES_PER_HOUR = 1_048_576;
/** What a short run may grow: lazily compiled code, and what waits at the moment. A leak of 100 bytes a span is more. */
const MAX_GROWTH_BYTES = 3 * 1_048_576;
const PATIENCE_MILLIS = 30_000;

const samples: HeapSample[] = [];
const failures = new Map<string, number>();
let hasStarted = false;
let oracle: Oracle | undefined;
let input: OracleInput | undefined;
let over: (FromHost & { type: 'over' }) | undefined;

const protocols: readonly Endpoint['protocol'][] =
  values.protocols === 'http'
    ? ['http/protobuf', 'http/json', 'http/protobuf']
    : ['http/protobuf', 'grpc', 'http/json', 'http/protobuf'];
// Those of gRPC have a process of their own: faults of its HTTP/2 may abort Node.
const receivers = [false, true].flatMap((grpc) => {
  const indexes = [...protocols.keys()].filter((index) => (protocols[index] === 'grpc') === grpc);
  if (indexes.length === 0) return [];
  const orders = { tenants, seed, faults, total: protocols.length, grpc, indexes };
  return [new ReceiverProcess(orders, (arrival) => input?.arrived(arrival))];
});
const host = new Child<ToHost, FromHost>('host.ts', (message) => {
  if (message.type === 'started') hasStarted = true;
  else if (message.type === 'created') for (const span of message.spans) input?.created(span);
  else if (message.type === 'dropped') {
    input?.dropped(message.tenantId, message.count);
    failures.set(message.reason, (failures.get(message.reason) ?? 0) + message.count);
  } else if (message.type === 'doubt') input?.doubt(message.tenantId);
  else if (message.type === 'heap') samples.push(message);
  else if (message.type === 'over') over = message;
});

say(`soak: ${minutes} min of faults (${faults}), ${tenants} tenants, seed ${seed}`);
await until(() => receivers.every(({ isListening }) => isListening), PATIENCE_MILLIS);
const endpoints = protocols.map((protocol, index): Endpoint => {
  const port = receivers.map((each) => each.portOf(index)).find((found) => found !== undefined);
  return { url: `http://127.0.0.1:${port}`, protocol };
});
oracle = new Oracle(endpoints.length);
input = plantedInput(oracle, values.plant as Plant);
host.send({ type: 'start', orders: { tenants, seed, faults, endpoints } });
await until(() => hasStarted, PATIENCE_MILLIS);
// A receiver that dies and comes back is a fault like others.
for (const receiver of receivers) {
  await pause((minutes * 60_000) / (receivers.length + 1));
  if (faults !== 'none') receiver.kill();
}
await pause((minutes * 60_000) / (receivers.length + 1));
const healedAt = performance.now();
for (const receiver of receivers) receiver.heal();
host.send({ type: 'settle' });
await until(() => over !== undefined, 400_000);
const settleSeconds = (performance.now() - healedAt) / 1_000;
await until(() => oracle?.late === 0, PATIENCE_MILLIS);
// What is behind the last span of each tenant is on the way between the processes.
await pause(1_000);
host.end();
for (const receiver of receivers) receiver.end();
conclude();

function conclude(): void {
  const heap = heapTrend(samples);
  const problems: string[] = [];
  const verdict = over && oracle?.verdict(over.account);
  if (over === undefined || verdict === undefined) problems.push('the host did not come to an end');
  else problems.push(...over.escaped, ...verdict.problems);
  if (heap.growthBytes > MAX_GROWTH_BYTES) problems.push(`the heap grew by ${mebibytes(heap.growthBytes)}`);
  // Two standard errors: a slope that may as well be none is no leak.
  if (minutes >= LONG_MINUTES && heap.bytesPerHour - 2 * heap.standardError > MAX_BYTES_PER_HOUR) {
    problems.push(`the heap grows by ${mebibytes(heap.bytesPerHour)} an hour`);
  }
  const [killed, crashed] = [sum(({ kills }) => kills), sum(({ crashes }) => crashes)];
  const died = { killed, crashed };
  const report = {
    seed,
    minutes,
    tenants,
    settleSeconds,
    receivers: died,
    verdict,
    account: over?.account,
    life: over?.life,
    heap,
  };
  if (values.json) process.stdout.write(`${JSON.stringify({ ...report, problems }, undefined, 2)}\n`);
  else if (over && verdict) {
    const { account, life } = over;
    say(`spans      ${verdict.spans} made, ${verdict.arrived} arrived, ${verdict.duplicates} arrived again`);
    say(`account    ${account.created} created = ${account.exported} exported + ${account.queued} queued + dropped:`);
    say(`           ${[...failures].map(([reason, count]) => `${reason} ${count}`).join(', ') || 'none'}`);
    say(`tenants    ${life.evicted} evictions, ${life.revived} revivals, ${life.reconfigured} new configurations`);
    say(`receivers  ${killed} processes killed, ${crashed} crashed by themselves; all came back on their ports`);
    say(`recovery   everything delivered ${settleSeconds.toFixed(1)} s after the faults stopped`);
    const slope = `${mebibytes(heap.bytesPerHour)}/h ± ${mebibytes(2 * heap.standardError)}`;
    say(`heap       ${heap.samples} samples, growth ${mebibytes(heap.growthBytes)}, slope ${slope}`);
  }
  for (const problem of problems) say(`PROBLEM    ${problem}`);
  say(problems.length === 0 ? 'All is well.' : 'The soak failed.');
  process.exitCode = problems.length === 0 ? 0 : 1;
}

function sum(of: (receiver: ReceiverProcess) => number): number {
  return receivers.reduce((total, receiver) => total + of(receiver), 0);
}

function say(text: string): void {
  (values.json ? process.stderr : process.stdout).write(`${text}\n`);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(2)} MiB`;
}

async function until(holds: () => boolean, patienceMillis: number): Promise<void> {
  const givesUpAt = performance.now() + patienceMillis;
  while (!holds() && performance.now() < givesUpAt) await pause(100);
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, millis);
  });
}
