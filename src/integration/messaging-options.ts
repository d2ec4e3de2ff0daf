import type { Attributes } from '@opentelemetry/api';
import type { IncomingTrust } from '../core/propagation.ts';
import type { IntegerOption } from '../utils/integer-options.ts';
import { callable, integerIn, oneOf } from '../utils/option-checks.ts';
import { type IssueLog, OptionReader } from '../utils/option-reader.ts';

/** What a consumer of messages is told; `Message` is the library's own. */
export interface MessagingOptions<Message> {
  /**
   * Names the tenant of a message, from what the application itself put into it: a field of the job, a header that only
   * its own publishers can set. Without an answer the message follows `unassigned`, as it does when the function throws,
   * rejects or takes longer than `tenantTimeoutMillis`.
   */
  readonly tenant: (message: Message) => string | null | undefined | Promise<string | null | undefined>;
  /**
   * What the trace context of a message is good for that was published for the same tenant: its span is the parent, is
   * linked, or is not looked at. Batches only link. Default: `'parent'`.
   */
  readonly incoming?: IncomingTrust | undefined;
  /**
   * The same for a trace context of anybody else: another tenant, a service without isotrace. Its baggage and session
   * are never taken. Default: `'ignore'`.
   */
  readonly foreign?: IncomingTrust | undefined;
  /** Who gets messages without a tenant: the platform tracer or nobody. Default: `'drop'`. */
  readonly unassigned?: 'platform' | 'drop' | undefined;
  /** Attributes for the span of a message, over the adapter's own; not asked for batches. Default: none. */
  readonly attributes?: ((message: Message) => Attributes | undefined) | undefined;
  /** Milliseconds that an asynchronous `tenant` may take, 1 to 60,000. Default: 2,000. */
  readonly tenantTimeoutMillis?: number | undefined;
}

/** {@link MessagingOptions}, checked and complete. */
export interface MessagingSettings<Message> {
  readonly tenant: MessagingOptions<Message>['tenant'] | undefined;
  readonly incoming: IncomingTrust;
  readonly foreign: IncomingTrust;
  readonly unassigned: 'platform' | 'drop';
  readonly attributes: ((message: Message) => Attributes | undefined) | undefined;
  readonly tenantTimeoutMillis: number;
}

const TENANT_TIMEOUT: IntegerOption = { min: 1, max: 60_000, default: 2_000, unit: 'milliseconds' };

const TIMEOUT = integerIn(TENANT_TIMEOUT);

const KNOWN_OPTIONS: ReadonlySet<string> = new Set(
  Object.keys({
    tenant: true,
    incoming: true,
    foreign: true,
    unassigned: true,
    attributes: true,
    tenantTimeoutMillis: true,
  } satisfies Record<keyof MessagingOptions<unknown>, true>),
);

/** Never throws; every problem is an issue below `name`, and the default is in force instead. */
export function readMessagingOptions<Message>(
  name: string,
  input: unknown,
  issues: IssueLog,
): MessagingSettings<Message> {
  const reader = OptionReader.open(input, name, KNOWN_OPTIONS, issues);
  const tenant = reader?.read('tenant', callable<MessagingOptions<Message>['tenant']>('a function'));
  if (tenant === undefined && reader?.get('tenant') === undefined) {
    issues.add(`${name}.tenant`, 'a function', 'undefined');
  }
  return Object.freeze({
    tenant,
    incoming: reader?.read('incoming', oneOf('parent', 'link', 'ignore')) ?? 'parent',
    foreign: reader?.read('foreign', oneOf('parent', 'link', 'ignore')) ?? 'ignore',
    unassigned: reader?.read('unassigned', oneOf('platform', 'drop')) ?? 'drop',
    attributes: reader?.read('attributes', callable<(message: Message) => Attributes | undefined>('a function')),
    tenantTimeoutMillis: reader?.read('tenantTimeoutMillis', TIMEOUT) ?? TENANT_TIMEOUT.default,
  });
}
