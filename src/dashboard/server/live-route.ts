import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendProblem } from './answer.ts';
import { liveUpdate } from './answer-schemas.ts';
import { integer, text } from './api-parameters.ts';
import { type ApiContext, defineRoute, queryOf, scopeOf, TENANT_PARAMETER } from './api-route.ts';
import type { LiveFeed, Subscription } from './live-feed.ts';
import { anything, type Schema } from './response-schema.ts';
import { liveAlerts, liveHealth } from './status-schemas.ts';

/** Answered with a stream of events instead of JSON. */
export const LIVE_ROUTE = defineRoute({
  path: 'live',
  schema: anything as Schema<Subscription>,
  events: { update: liveUpdate, health: liveHealth, alerts: liveAlerts },
  summary: 'What comes in, as server-sent events',
  answer:
    'a stream of events `update`, each with `arrived` (counts by tenant), `traces` (summaries), `logs` and `skipped`; ' +
    'its `id` is the cursor to go on from, which browsers send as `Last-Event-ID`; and of events `health`, each with ' +
    '`health` and `pending` as the addresses of these names answer them, when they have changed, every second at most',
  parameters: {
    ...TENANT_PARAMETER,
    query: text('Traces to tell of.'),
    logs: text('Log records to tell of, as a query.'),
    cursor: text('The cursor of the last event that was read.', { pattern: /^[\w.-]{0,100}$/ }),
    limit: integer(
      'The most traces and the most log records in an event; others are counted in `skipped`.',
      100,
      1,
      500,
    ),
  },
  ask: (context, { tenant, query, logs, cursor, limit }): Promise<Subscription> =>
    Promise.resolve({
      scope: scopeOf(context, tenant),
      traceQuery: queryOf(query, 'traces'),
      logQuery: queryOf(logs, 'logs', 'logs'),
      cursor: cursor === '' ? undefined : cursor,
      limit,
    }),
});

export async function serveLive(
  request: IncomingMessage,
  response: ServerResponse,
  given: URLSearchParams,
  context: ApiContext,
  feed: LiveFeed,
): Promise<void> {
  const last = request.headers['last-event-id'];
  if (typeof last === 'string' && /^[\w.-]{1,100}$/.test(last)) given.set('cursor', last);
  const result = await LIVE_ROUTE.ask(context, given);
  if ('problem' in result) sendProblem(response, result.problem);
  else if (!feed.subscribe(response, result.value as Subscription)) {
    sendProblem(response, { status: 503, message: 'there are too many live pages', headers: { 'retry-after': '5' } });
  }
}
