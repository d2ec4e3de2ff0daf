import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Command } from 'commander';
import { createTracer } from '../../core/create-tracer.ts';
import { type CliHost, CommandError, EXIT, type Outcome } from '../cli-host.ts';
import { wholeNumber } from '../whole-number.ts';

interface Figures {
  readonly spans: number;
  /** To start and end a span with eight attributes, which includes encoding it. */
  readonly nanosPerSpan: number;
  /** From the first start to the last answer of a receiver in this process. */
  readonly deliveredPerSecond: number;
  readonly delivered: number;
  readonly node: string;
}

const WARM_UP = 20_000;
const ROUND = 5_000;
const ATTRIBUTES = {
  'http.request.method': 'GET',
  'http.route': '/orders/:id',
  'http.response.status_code': 200,
  'server.address': 'api.example.com',
  'url.path': '/orders/7',
  'user.id': 'user-4711',
  'cart.items': 3,
  'cart.paid': true,
};

/** Measures on this machine what a span costs. */
export function benchCommand(host: CliHost, outcome: Outcome): Command {
  return new Command('bench')
    .description('measure what a span costs on this machine')
    .option('--spans <number>', 'how many', wholeNumber(1, 99_999_999, 'A whole number from 1 to 99,999,999.'), 100_000)
    .action(async ({ spans }: { spans: number }) => {
      const { terminal } = host;
      const figures = await measure(spans, host).finally(() => terminal.progress());
      if (figures.delivered < spans) outcome.exitCode = EXIT.problems;
      if (terminal.json) {
        terminal.value(figures);
        return;
      }
      terminal.line(`${Math.round(figures.nanosPerSpan)} ns for a span with 8 attributes, started, ended and encoded`);
      terminal.line(
        `${Math.round(figures.deliveredPerSecond)} spans a second, delivered to a receiver in this process`,
      );
      terminal.line(`${figures.delivered} of ${spans} delivered, Node.js ${figures.node}`);
    });
}

async function measure(spans: number, { signal, terminal }: CliHost): Promise<Figures> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const tracer = createTracer({
    destination: { endpoint: `http://127.0.0.1:${port}` },
    limits: { maxQueueSize: 1_000_000, maxQueueBytes: 256 * 1_048_576 },
  });
  try {
    for (let index = 0; index < WARM_UP; index += 1) endSpan();
    await tracer.flush();
    const before = tracer.stats().traces.exported;
    const startedAt = performance.now();
    let spent = 0;
    // In rounds: between two of them what was ended is sent, as in a program that also does other things.
    for (let ended = 0; ended < spans; ended += ROUND) {
      if (signal.aborted) throw new CommandError('stopped');
      terminal.progress(`${Math.floor((ended / spans) * 100)} % of ${spans} spans`);
      const count = Math.min(ROUND, spans - ended);
      const roundAt = performance.now();
      for (let index = 0; index < count; index += 1) endSpan();
      spent += performance.now() - roundAt;
      await tracer.flush();
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const delivered = tracer.stats().traces.exported - before;
    const nanosPerSpan = (spent * 1e6) / spans;
    return { spans, nanosPerSpan, deliveredPerSecond: delivered / seconds, delivered, node: process.version };
  } finally {
    await tracer.shutdown();
    server.closeAllConnections();
    server.close();
  }

  function endSpan(): void {
    tracer.startSpan('GET /orders/:id', { attributes: ATTRIBUTES }).end();
  }
}
