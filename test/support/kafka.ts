import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { findProgram } from './find-program.ts';

/** A Kafka cluster of one broker, on the loopback interface. */
export interface Kafka {
  /** `host:port` for `kafkajs`. */
  readonly broker: string;
  stop(): Promise<void>;
}

/** `kcat` brings the mock cluster of librdkafka; `undefined` when it is not installed. */
export function findKafka(): string | undefined {
  return findProgram('kcat');
}

/**
 * Starts librdkafka's mock cluster: brokers in one process that speak Kafka's protocol over real sockets, with consumer
 * groups and transactions, and keep everything in memory.
 */
export async function startKafka(program: string): Promise<Kafka> {
  const args = ['-P', '-X', 'test.mock.num.brokers=1', '-b', 'ignored', '-t', 'unused', '-d', 'mock'];
  const cluster = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  const ended = once(cluster, 'close');
  let log = '';
  const broker = await new Promise<string>((resolve, reject) => {
    cluster.stderr.on('data', (chunk: Buffer) => {
      if (log.length < 10_000) log += chunk.toString();
      const address = /bootstrap\.servers=(127\.0\.0\.1:\d+)/.exec(log)?.[1];
      if (address !== undefined) resolve(address);
    });
    cluster.once('error', reject);
    cluster.once('close', () => reject(new Error(`the cluster ended: ${log}`)));
  });
  return {
    broker,
    stop: async () => {
      cluster.kill('SIGKILL');
      await ended;
    },
  };
}
