import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type HeapSample, heapTrend } from './heap.ts';
import type { FromHost, FromReceivers, SoakOrders, ToHost, ToReceivers } from './messages.ts';
import { Oracle } from './oracle.ts';
import { type OracleInput, type Plant, plantedInput } from './plant.ts';

const { values } = parseArgs({
  options: {
    /** Of faults; what follows takes up to two more. */
    minutes: { type: 'string', default: '10' },
    tenants: { type: 'string', default: '200' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
    faults: { type: 'string', default: 'all' },
    /** `http`: without gRPC, whose faults may bring the receivers' own HTTP/2 in Node down in a run of hours. */
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
const PATIENCE_MILLIS = 20_000;

class Child<In, Out> {
  readonly process: ChildProcess;

  constructor(module: string, onMessage: (message: Out) => void) {
    const execArgv = [...process.execArgv, '--expose-gc'];
    this.process = fork(fileURLToPath(new URL(module, import.meta.url)), { execArgv });
    this.process.on('message', (message) => onMessage(message as Out));
    // Also when it was ended by a signal that is not ours: a crash must not look like silence.
    this.process.once('exit', (code, signal) => {
      if (this.process.killed) return;
      process.stderr.write(`${module} ended with ${code ?? signal}\n`);
      process.exit(1);
    });
  }

  send(message: In): void {
    this.process.send(message as object);
  }
}

const samples: HeapSample[] = [];
const failures = new Map<string, number>();
let oracle: Oracle | undefined;
let input: OracleInput | undefined;
let over: (FromHost & { type: 'over' }) | undefined;
let endpoints: SoakOrders['endpoints'] = [];

const receivers = new Child<ToReceivers, FromReceivers>('receivers.ts', (message) => {
  if (message.type === 'listening') endpoints = message.endpoints;
  else if (message.type === 'arrived') for (const arrival of message.arrivals) input?.arrived(arrival);
});
const host = new Child<ToHost, FromHost>('host.ts', (message) => {
  if (message.type === 'created') for (const span of message.spans) input?.created(span);
  else if (message.type === 'dropped') {
    input?.dropped(message.tenantId, message.count);
    failures.set(message.reason, (failures.get(message.reason) ?? 0) + message.count);
  } else if (message.type === 'doubt') input?.doubt(message.tenantId);
  else if (message.type === 'heap') samples.push(message);
  else if (message.type === 'over') over = message;
});

say(`soak: ${minutes} min of faults (${faults}), ${tenants} tenants, seed ${seed}`);
const protocols = values.protocols === 'http' ? 'http' : 'all';
receivers.send({ type: 'start', tenants, seed, faults, protocols });
await until(() => endpoints.length > 0, PATIENCE_MILLIS);
oracle = new Oracle(endpoints.length);
input = plantedInput(oracle, values.plant as Plant);
host.send({ type: 'start', orders: { tenants, seed, faults, endpoints } });
await pause(minutes * 60_000);
const healedAt = performance.now();
receivers.send({ type: 'heal' });
host.send({ type: 'settle' });
await until(() => over !== undefined, 400_000);
const settleSeconds = (performance.now() - healedAt) / 1_000;
await until(() => oracle?.late === 0, PATIENCE_MILLIS);
// What is behind the last span of each tenant is on the way between the processes.
await pause(1_000);
host.process.kill();
receivers.process.kill();
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
  const report = { seed, minutes, tenants, settleSeconds, verdict, account: over?.account, life: over?.life, heap };
  if (values.json) process.stdout.write(`${JSON.stringify({ ...report, problems }, undefined, 2)}\n`);
  else if (over && verdict) {
    const { account, life } = over;
    say(`spans      ${verdict.spans} made, ${verdict.arrived} arrived, ${verdict.duplicates} arrived again`);
    say(`account    ${account.created} created = ${account.exported} exported + ${account.queued} queued + dropped:`);
    say(`           ${[...failures].map(([reason, count]) => `${reason} ${count}`).join(', ') || 'none'}`);
    say(`tenants    ${life.evicted} evictions, ${life.revived} revivals, ${life.reconfigured} new configurations`);
    say(`recovery   everything delivered ${settleSeconds.toFixed(1)} s after the faults stopped`);
    const slope = `${mebibytes(heap.bytesPerHour)}/h ± ${mebibytes(2 * heap.standardError)}`;
    say(`heap       ${heap.samples} samples, growth ${mebibytes(heap.growthBytes)}, slope ${slope}`);
  }
  for (const problem of problems) say(`PROBLEM    ${problem}`);
  say(problems.length === 0 ? 'All is well.' : 'The soak failed.');
  process.exitCode = problems.length === 0 ? 0 : 1;
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
