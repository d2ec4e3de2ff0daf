import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface ReceiverStats {
  readonly requests: number;
  readonly spans: number;
  /** Bodies as they came. */
  readonly bytes: number;
  /** Open at the moment. */
  readonly sockets: number;
  readonly peakSockets: number;
  /** From the end of a span to its arrival, in milliseconds: the median, and what 99 of 100 stay below. */
  readonly delayP50: number;
  readonly delayP99: number;
}

/** What the receiver does with requests whose bearer token begins with this and a dash. They are not in its counts. */
export type ReceiverFault = 'hang' | 'refuse' | 'throttle' | 'slow';

/** An OTLP/HTTP receiver in a process of its own that counts and forgets. */
export class Receiver {
  readonly url: string;
  readonly #process: ChildProcess;

  constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.url = `http://127.0.0.1:${port}`;
  }

  async stats(): Promise<ReceiverStats> {
    const answer = once(this.#process, 'message');
    this.#process.send('stats');
    const [stats] = await answer;
    return stats as ReceiverStats;
  }

  close(): void {
    this.#process.disconnect();
  }
}

export async function startReceiver(): Promise<Receiver> {
  const execArgv = process.execArgv.filter((argument) => !argument.startsWith('--cpu-prof'));
  const child = fork(fileURLToPath(new URL('receiver-process.ts', import.meta.url)), { execArgv });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return new Receiver(child, port);
}
