import { type MeasurementKind, openMetrics } from './peers/metrics-peer.ts';
import { CpuMeter, expectEqual, nextTurn, settledMemory } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';

const SLICE = 4_096;
const KINDS: Readonly<Record<string, MeasurementKind>> = {
  counter: 'bare',
  'counter, the same 3 attributes': 'same',
  'counter, 3 attributes of 32 sets': 'turns',
  'histogram, 3 attributes of 32 sets': 'histogram',
};
const TENANTS = '1,000 tenants, all three signals';
const COUNT = 1_000;

/** What does one measurement cost, and a tenant that measures, logs and traces? */
export const metrics: Question = {
  name: 'metrics',
  title: 'One measurement: CPU; a tenant with all three signals: memory',
  rounds: 5,
  shortVariants: ['counter, 3 attributes of 32 sets'],
  rows: [
    ...Object.keys(KINDS).map((variant) => ({ variant, figure: 'CPU', unit: 'ns', goal: { ratio: 1 } })),
    { variant: TENANTS, figure: 'heap, idle', unit: 'B', goal: { value: 10_240 } },
    { variant: TENANTS, figure: 'heap, used', unit: 'B' },
  ],
  async measure(task: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const figures = await (task.variant === TENANTS ? memory(task, receiver.url) : cost(task, receiver.url));
    receiver.close();
    return figures;
  },
};

async function cost({ peer, short, variant }: Task, endpoint: string): Promise<Figures> {
  const library = await openMetrics(peer, endpoint);
  const tenant = library.tenant('bench');
  const kind = KINDS[variant] as MeasurementKind;
  const cpu = new CpuMeter();
  let made = 0;
  const slices = async (count: number): Promise<void> => {
    for (let slice = 0; slice < count; slice++) {
      tenant.measure(kind, SLICE);
      made += SLICE;
      await nextTurn();
    }
  };
  await slices(short ? 20 : 100);
  const before = made;
  cpu.start();
  await slices(short ? 50 : 400);
  cpu.stop();
  expectEqual('measurements counted', await library.counted('bench'), made);
  return { CPU: cpu.nanos / (made - before) };
}

async function memory({ peer }: Task, endpoint: string): Promise<Figures> {
  const library = await openMetrics(peer, endpoint);
  for (let index = 0; index < 200; index++) library.tenant(`earlier-${index}`).useAll();
  await library.flush();
  const before = await settledMemory();
  const made = Array.from({ length: COUNT }, (_, index) => library.tenant(`tenant-${index}`));
  const idle = await settledMemory();
  for (const tenant of made) tenant.useAll();
  await library.flush();
  const used = await settledMemory();
  expectEqual('measurements counted', await library.counted('tenant-7'), 2);
  return { 'heap, idle': (idle.heap - before.heap) / COUNT, 'heap, used': (used.heap - before.heap) / COUNT };
}
