import { types } from 'node:util';
import { describeError } from '../../utils/errors.ts';
import type { Alert, AlertHandler } from './alert-rule.ts';

/** How a handler does, in the order in which they were given. */
export interface HandlerState {
  readonly calls: number;
  readonly failures: number;
  /** Alerts that it was not told of, because too many earlier calls have not settled. */
  readonly skipped: number;
  /** Empty without one. */
  readonly lastError: string;
}

interface Handler {
  readonly call: AlertHandler;
  state: HandlerState;
  underWay: number;
}

const MAX_UNDER_WAY = 100;
const MAX_ERROR_LENGTH = 512;

/** Tells the user's handlers of alerts. None of them holds up another, or what goes on here. */
export class HandlerCalls {
  readonly #handlers: readonly Handler[];

  constructor(handlers: readonly AlertHandler[]) {
    const state = { calls: 0, failures: 0, skipped: 0, lastError: '' };
    this.#handlers = handlers.map((call) => ({ call, state, underWay: 0 }));
  }

  get states(): readonly HandlerState[] {
    return this.#handlers.map(({ state }) => state);
  }

  /** Never throws. */
  tell(alert: Alert): void {
    for (const handler of this.#handlers) tellOne(handler, alert);
  }
}

function tellOne(handler: Handler, alert: Alert): void {
  const { state } = handler;
  if (handler.underWay >= MAX_UNDER_WAY) {
    handler.state = { ...state, skipped: state.skipped + 1 };
    return;
  }
  handler.state = { ...state, calls: state.calls + 1 };
  try {
    const answer: unknown = handler.call(Object.freeze({ ...alert }));
    if (!types.isPromise(answer)) return;
    handler.underWay += 1;
    const settled = (): void => {
      handler.underWay -= 1;
    };
    answer.then(settled, (error: unknown) => {
      settled();
      fail(handler, error);
    });
  } catch (error) {
    fail(handler, error);
  }
}

function fail(handler: Handler, error: unknown): void {
  const { failures } = handler.state;
  const lastError = describeError(error).slice(0, MAX_ERROR_LENGTH);
  handler.state = { ...handler.state, failures: failures + 1, lastError };
}
