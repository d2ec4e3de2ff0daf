import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import type { Figures, Question, Task } from './support/question.ts';

const SPANS = 100_000;
const ATTACKS = [
  { variant: '100,000 malformed requests', kind: 'malformed', count: 100_000, short: 5_000 },
  { variant: '10 bombs of 100 MiB', kind: 'bomb', count: 10, short: 2 },
  { variant: '500 slow connections', kind: 'slow', count: 500, short: 500 },
] as const;
const PROBE_MILLIS = 20;
const GOAL_MILLIS = 200;

/** Does the dashboard still answer while it is attacked? Each in a process of its own: it, the attacker, and who asks. */
export const dashboardHardening: Question = {
  name: 'dashboard-hardening',
  title: 'The dashboard under attack: answers to a list of 50 traces of 100,000 spans meanwhile',
  peers: () => ['isotrace'],
  rounds: 1,
  rows: ATTACKS.flatMap(({ variant }) => [
    { variant, figure: 'attacks', unit: '/s', better: 'higher' as const },
    { variant, figure: 'answers', unit: '' },
    { variant, figure: 'answer, median', unit: 'ms' },
    { variant, figure: 'answer, p99', unit: 'ms', goal: { value: GOAL_MILLIS } },
    { variant, figure: 'answer, slowest', unit: 'ms', goal: { value: GOAL_MILLIS } },
    { variant, figure: 'memory added', unit: 'MiB' },
  ]),
  async measure({ variant, short }: Task): Promise<Figures> {
    const attack = ATTACKS.find((candidate) => candidate.variant === variant) ?? ATTACKS[0];
    const dashboard = start('dashboard-process.ts', String(SPANS));
    const { port } = await told<{ port: number }>(dashboard);
    const before = await memoryOf(dashboard);
    for (let warm = 0; warm < 20; warm += 1) await probe(port);
    const begin = performance.now();
    const count = short ? attack.short : attack.count;
    const attacker = start('attack-process.ts', attack.kind, String(port), String(count));
    const over = told<{ requests: number }>(attacker);
    let isOver = false;
    void over.finally(() => {
      isOver = true;
    });
    const millis: number[] = [];
    while (!isOver) {
      millis.push(await probe(port));
      await new Promise((resolve) => {
        setTimeout(resolve, PROBE_MILLIS);
      });
    }
    const { requests } = await over;
    const seconds = (performance.now() - begin) / 1_000;
    const added = (await memoryOf(dashboard)) - before;
    if (dashboard.exitCode !== null) throw new Error('the dashboard did not survive');
    dashboard.disconnect();
    millis.sort((left, right) => left - right);
    const quantile = (share: number): number =>
      millis[Math.min(Math.floor(millis.length * share), millis.length - 1)] ?? 0;
    return {
      attacks: requests / seconds,
      answers: millis.length,
      'answer, median': quantile(0.5),
      'answer, p99': quantile(0.99),
      'answer, slowest': quantile(1),
      'memory added': added / 1_048_576,
    };
  },
};

function start(file: string, ...args: string[]): ChildProcess {
  return fork(fileURLToPath(new URL(`support/${file}`, import.meta.url)), args);
}

async function told<T>(child: ChildProcess): Promise<T> {
  const [answer] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`a process ended with ${code}`);
    }),
  ])) as [T];
  return answer;
}

async function memoryOf(dashboard: ChildProcess): Promise<number> {
  dashboard.send('memory');
  return (await told<{ rss: number }>(dashboard)).rss;
}

/** One question on a connection of its own, in milliseconds. */
async function probe(port: number): Promise<number> {
  const begin = performance.now();
  const request = http.get({ host: '127.0.0.1', port, path: '/api/v1/traces?limit=50', agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  if (response.statusCode !== 200) throw new Error(`the dashboard answered ${response.statusCode}`);
  return performance.now() - begin;
}
