import { Child } from './child.ts';
import type { Arrival, FromReceivers, ReceiverOrders, ToReceivers } from './messages.ts';

interface ReceiverProcessOrders extends Omit<ReceiverOrders, 'receivers'> {
  readonly grpc: boolean;
  readonly indexes: readonly number[];
}

/** Receivers in a process of their own, which is replaced on the same ports whenever it dies. */
export class ReceiverProcess {
  readonly #orders: ReceiverProcessOrders;
  readonly #arrived: (arrival: Arrival) => void;
  #child: Child<ToReceivers, FromReceivers>;
  #ports: readonly number[] = [];
  #isStarting = true;
  #isHealed = false;
  /** What the soak asked for. */
  kills = 0;
  #deaths = 0;

  constructor(orders: ReceiverProcessOrders, arrived: (arrival: Arrival) => void) {
    this.#orders = orders;
    this.#arrived = arrived;
    this.#child = this.#start();
  }

  get isListening(): boolean {
    return this.#ports.length > 0;
  }

  /** Deaths that nobody asked for. */
  get crashes(): number {
    return this.#deaths - this.kills;
  }

  portOf(index: number): number | undefined {
    return this.#ports[this.#orders.indexes.indexOf(index)];
  }

  kill(): void {
    this.kills += 1;
    this.#child.kill();
  }

  /** All faults stop, also those of processes to come. */
  heal(): void {
    this.#isHealed = true;
    this.#child.send({ type: 'heal' });
  }

  end(): void {
    this.#child.end();
  }

  #start(): Child<ToReceivers, FromReceivers> {
    const child = new Child<ToReceivers, FromReceivers>(
      'receivers.ts',
      (message) => {
        for (const arrival of message.type === 'arrived' ? message.arrivals : []) this.#arrived(arrival);
        if (message.type === 'listening') this.#listening(message.ports);
      },
      (how) => this.#replace(how),
    );
    const { grpc, indexes, ...orders } = this.#orders;
    const receivers = indexes.map((index, place) => ({ index, grpc, port: this.#ports[place] ?? 0 }));
    const faults = this.#isHealed ? 'none' : orders.faults;
    child.send({ type: 'start', orders: { ...orders, seed: orders.seed + this.#deaths, faults, receivers } });
    return child;
  }

  #listening(ports: readonly number[]): void {
    this.#ports = ports;
    this.#isStarting = false;
  }

  #replace(how: string): void {
    this.#deaths += 1;
    process.stderr.write(`${how} after ${process.uptime().toFixed(0)} s\n`);
    // Another one would do no better.
    if (this.#isStarting) process.exit(1);
    this.#isStarting = true;
    this.#child = this.#start();
  }
}
