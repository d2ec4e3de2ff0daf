import { afterEach, describe, expect, it } from 'vitest';
import type { Dashboard } from '../../../src/dashboard.ts';
import { logsJson, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { openDashboard, postOtlp } from './dashboard-kit.ts';

interface Update {
  readonly id: string;
  readonly arrived: { readonly tenant: string; readonly traces: number; readonly errors: number }[];
  readonly traces: { readonly traceId: string; readonly spans: number }[];
  readonly logs: { readonly body: string }[];
  readonly skipped: number;
}

const controllers: AbortController[] = [];

afterEach(() => {
  for (const controller of controllers.splice(0)) controller.abort();
});

/** The events of a live page, one after the other. */
async function listen(dashboard: Dashboard, path = '', headers: Record<string, string> = {}) {
  const controller = new AbortController();
  controllers.push(controller);
  const response = await fetch(`${dashboard.url}/api/v1/live${path}`, { headers, signal: controller.signal });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  return async (): Promise<Update> => {
    for (;;) {
      const [, id, data] = /id: (\S+)\nevent: update\ndata: (.*)\n\n/.exec(text) ?? [];
      if (id !== undefined && data !== undefined) {
        text = text.slice(text.indexOf(data) + data.length + 2);
        return { id, ...(JSON.parse(data) as Omit<Update, 'id'>) };
      }
      const { value, done } = await reader.read();
      if (done) throw new Error('the stream ended');
      text += Buffer.from(value).toString();
    }
  };
}

const span = (number: number, tenant = 'a', error = false) =>
  tracesJson({ service: 'api', tenant }, [{ traceId: traceId(number), spanId: spanId(number), error }]);

describe('a live page', () => {
  it('is told what came in since it began, in one event', async () => {
    const dashboard = await openDashboard();
    await postOtlp(dashboard, 'traces', span(1));
    const next = await listen(dashboard);
    expect(await next()).toMatchObject({ arrived: [], traces: [] });
    await postOtlp(dashboard, 'traces', span(2, 'a', true));
    await postOtlp(dashboard, 'logs', logsJson({ tenant: 'b' }, [{ body: 'hello' }]));
    await dashboard.update();
    const updates = [await next()];
    if (updates[0]?.logs.length === 0) updates.push(await next());
    expect(updates.flatMap(({ traces }) => traces.map((trace) => trace.traceId))).toEqual([traceId(2)]);
    expect(updates.flatMap(({ logs }) => logs.map(({ body }) => body))).toEqual(['hello']);
    expect(updates[0]?.arrived[0]).toMatchObject({ tenant: 'a', traces: 1, errors: 1 });
  });

  it('goes on where it was after a break', async () => {
    const dashboard = await openDashboard();
    const first = await listen(dashboard);
    const { id } = await first();
    await postOtlp(dashboard, 'traces', span(3));
    const again = await listen(dashboard, '', { 'last-event-id': id });
    expect((await again()).traces.map((trace) => trace.traceId)).toEqual([traceId(3)]);
  });

  it('is told how much it does not see', async () => {
    const dashboard = await openDashboard({ flushMillis: 60_000 });
    const next = await listen(dashboard, '?limit=2');
    await dashboard.update();
    await next();
    for (let number = 1; number <= 5; number += 1) await postOtlp(dashboard, 'traces', span(number));
    await dashboard.update();
    const update = await next();
    expect(update.traces.map((trace) => trace.traceId)).toEqual([traceId(5), traceId(4)]);
    expect(update.skipped).toBe(3);
    expect(update.arrived).toMatchObject([{ tenant: 'a', traces: 5 }]);
  });

  it('sees what it asked for only', async () => {
    const dashboard = await openDashboard({ flushMillis: 60_000 });
    const next = await listen(dashboard, '?tenant=a&query=status:error');
    await dashboard.update();
    await next();
    await postOtlp(dashboard, 'traces', span(1, 'a'));
    await postOtlp(dashboard, 'traces', span(2, 'b', true));
    await postOtlp(dashboard, 'traces', span(3, 'a', true));
    await dashboard.update();
    const update = await next();
    expect(update.traces.map((trace) => trace.traceId)).toEqual([traceId(3)]);
    expect(update.arrived.map(({ tenant }) => tenant)).toEqual(['a']);
  });
});
