import { describe, expect, it } from 'vitest';
import type { HeaderFunction } from '../../src/index.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { expectBalance, names, receiver, registryOf, resolveWith, until } from './registry-kit.ts';

async function tenantWith(headers: HeaderFunction, fault: 'ok' | 401 = 'ok') {
  const target = await receiver(fault === 'ok' ? {} : { fault: { mode: 'status', status: fault } });
  const clock = new FakeClock();
  const registry = registryOf({ clock, destination: { endpoint: target.url, headers, timeoutMillis: 4_000 } });
  return { target, clock, registry, tracer: registry.get('acme') };
}

describe('a headers function', () => {
  it('is asked for each attempt, with the id of the tenant', async () => {
    const asked: string[] = [];
    const { target, clock, registry, tracer } = await tenantWith((id) => {
      asked.push(id);
      return { authorization: `Bearer ${asked.length}` };
    });
    target.setFault((_request, index) => (index === 0 ? { mode: 'status', status: 503 } : { mode: 'ok' }));
    tracer.startSpan('work').end();
    await registry.flush();
    await clock.advanceAsync(2_000);
    await target.waitForSpans(1);
    expect(target.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer 1', 'Bearer 2']);
    expect(asked).toEqual(['acme', 'acme']);
  });

  it('is asked again at once when its credentials are refused, then once a minute', async () => {
    let token = 'old';
    const { target, clock, registry, tracer } = await tenantWith(() => ({ authorization: token }), 401);
    tracer.startSpan('work').end();
    await resolveWith(clock, registry.flush({ timeoutMillis: 1_000 }));
    await target.waitForRequests(2);
    await clock.advanceAsync(50_000);
    expect(target.requests).toHaveLength(2);
    token = 'new';
    target.setFault(({ headers }) =>
      headers.authorization === 'new' ? { mode: 'ok' } : { mode: 'status', status: 401 },
    );
    await clock.advanceAsync(15_000);
    await target.waitForSpans(1);
    expect(target.requests).toHaveLength(3);
  });

  it.each<[string, () => unknown, string]>([
    ['throws', () => boom(), 'Error: the vault is sealed'],
    ['rejects', async () => boom(), 'Error: the vault is sealed'],
    ['hangs', () => new Promise(() => {}), 'IsotraceError: headers did not answer within 4000 ms'],
    ['returns a thenable that throws', () => ({ then: boom }), 'Error: the vault is sealed'],
  ])('that %s costs an attempt, no span, and no request without credentials', async (_how, failure, message) => {
    let healthy = false;
    const headers = (): never => (healthy ? { authorization: 'Bearer good' } : failure()) as never;
    const { target, clock, registry, tracer } = await tenantWith(headers);
    tracer.startSpan('work').end();
    const flushed = registry.flush();
    await settle();
    const report = await resolveWith(clock, flushed);
    expect(report).toMatchObject({ ok: false, pending: 1, tenants: [{ error: message }] });
    expect(tracer.health().errors.headers).toBe(1);
    expect(target.requests).toHaveLength(0);
    healthy = true;
    await clock.advanceAsync(5_000);
    await target.waitForSpans(1);
    await until(() => tracer.stats().traces.exported === 1, 'delivered');
    expect(names(target)).toEqual(['work']);
    expect(target.requests[0]?.headers.authorization).toBe('Bearer good');
    expectBalance(tracer.stats().traces);
  });

  it('may return headers that cannot be sent: they are left out and reported', async () => {
    const headers = () => ({ 'x-good': '1', 'x-bad': 'a\r\nx-evil: 1', 'content-length': '7', 'no token': 'x' });
    const { target, registry, tracer } = await tenantWith(headers);
    tracer.startSpan('work').end();
    await registry.flush();
    expect(target.requests[0]?.headers).toMatchObject({ 'x-good': '1' });
    expect(target.requests[0]?.headers).not.toHaveProperty('x-evil');
    expect(target.requests[0]?.headers).not.toHaveProperty('x-bad');
    expect(tracer.health().errors.headers).toBeGreaterThanOrEqual(2);
  });
});

function boom(): never {
  throw new Error('the vault is sealed');
}
