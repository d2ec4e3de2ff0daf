import { SpanKind } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { startTenants } from '../support/tenant-receivers.ts';

const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

describe('what is said about a session', () => {
  it('stands on its root spans, and its id on every span inside', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    a.withSpan('around', () =>
      a.withSession(
        {
          id: 's-1',
          name: 'support',
          inputs: { question: 'why', tags: ['x', 'y'] },
          metadata: { nested: { deep: 1 } },
          userProperties: { id: 'u-1', plan: 'pro' },
        },
        () => {
          a.withSpan('first root', () => a.startSpan('below').end());
          a.startSpan('second root', { root: true }).end();
        },
      ),
    );
    const { around, below, ...roots } = await received('a');

    expect(around?.attributes).toEqual({});
    expect(below?.attributes).toEqual({ 'session.id': 's-1' });
    for (const name of ['first root', 'second root']) {
      expect(roots[name]?.attributes).toEqual({
        'session.id': 's-1',
        'isotrace.session.name': 'support',
        'isotrace.session.inputs.question': 'why',
        'isotrace.session.inputs.tags': ['x', 'y'],
        'isotrace.session.metadata.nested': '{"deep":1}',
        'user.id': 'u-1',
        'isotrace.session.user.plan': 'pro',
      });
    }
  });

  it('nests, and the session around comes back', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    await a.withSession('outer', async () => {
      await a.withSession({ id: 'inner', name: 'inner' }, async () => {
        await Promise.resolve();
        a.startSpan('in inner').end();
      });
      expect(a.sessionId()).toBe('outer');
      a.startSpan('in outer').end();
    });
    expect(a.sessionId()).toBeUndefined();
    const spans = await received('a');

    expect(spans['in inner']?.attributes).toEqual({ 'session.id': 'inner', 'isotrace.session.name': 'inner' });
    expect(spans['in outer']?.attributes).toEqual({ 'session.id': 'outer' });
  });

  it('can be added to: on open root spans, and on those that come', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    a.withSession('s', () => {
      a.startSpan('ended before').end();
      a.withSpan('open root', () =>
        a.withSpan('child', () => expect(a.enrichSession({ metrics: { score: 0.5 }, name: 'late' })).toBe(true)),
      );
      a.startSpan('later root').end();
    });
    const spans = await received('a');
    const said = { 'session.id': 's', 'isotrace.session.name': 'late', 'isotrace.session.metrics.score': 0.5 };

    expect(spans['open root']?.attributes).toEqual(said);
    expect(spans['later root']?.attributes).toEqual(said);
    expect(spans['child']?.attributes).toEqual({ 'session.id': 's' });
    expect(spans['ended before']?.attributes).toEqual({ 'session.id': 's' });
    expect(spans['session']).toBeUndefined();
  });

  it('is sent as an event when no root span is open, or the session is elsewhere', async () => {
    const { registry, received, receivers } = await startTenants(['a', 'b']);
    const a = registry.get('a');
    expect(a.enrichSession({ feedback: { stars: 5 } })).toBe(false);
    expect(a.enrichSession({ sessionId: 's-0', feedback: { stars: 5 } })).toBe(true);
    a.withSession('s-1', () => {
      expect(registry.get('b').enrichSession({ feedback: { stars: 1 } })).toBe(false);
      expect(a.enrichSession({ feedback: { stars: 4 } })).toBe(true);
      a.withSpan('root', () => expect(a.enrichSession({ sessionId: 's-2', feedback: { stars: 3 } })).toBe(true));
    });
    await received('a');
    const events = receivers.a.spans().filter(({ name }) => name === 'session');

    expect(events.map(({ attributes }) => attributes)).toEqual(
      [
        ['s-0', 5],
        ['s-1', 4],
        ['s-2', 3],
      ].map(([id, stars]) => ({
        'session.id': id,
        'isotrace.event.type': 'session',
        'isotrace.session.feedback.stars': stars,
      })),
    );
    expect(await received('b')).toEqual({});
  });

  it('counts as not said where it cannot be read', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    const hostile = {
      id: 's',
      name: 'kept',
      get metadata(): never {
        throw new Error('no metadata');
      },
    };
    expect(a.withSession(hostile, () => a.withSpan('root', () => 5))).toBe(5);

    expect((await received('a'))['root']?.attributes).toEqual({ 'session.id': 's', 'isotrace.session.name': 'kept' });
    expect(a.health().errors).toMatchObject({ host: 1 });
  });
});

describe("sessions: 'per-root'", () => {
  it('gives each local root span of kind SERVER a session of its own, and all below it', async () => {
    const { registry, received } = await startTenants(['a'], { registry: { sessions: 'per-root' } });
    const a = registry.get('a');
    const serve = (name: string): string | undefined =>
      a.withSpan(`request ${name}`, { kind: SpanKind.SERVER }, () => {
        a.withSpan(`inside ${name}`, () => a.startSpan(`deep ${name}`, { kind: SpanKind.SERVER }).end());
        return a.sessionId();
      });
    const ids = [serve('1'), serve('2')];
    a.withSession('own', () => serve('3'));
    a.startSpan('no request').end();
    expect(a.sessionId()).toBeUndefined();
    const spans = await received('a');
    const idOf = (name: string): unknown => spans[name]?.attributes['session.id'];

    expect(ids[0]).toMatch(UUID);
    expect(ids[0]).not.toBe(ids[1]);
    for (const name of ['1', '2']) {
      const all = ['request', 'inside', 'deep'].map((part) => idOf(`${part} ${name}`));
      expect(new Set(all)).toEqual(new Set([ids[Number(name) - 1]]));
    }
    expect(['request', 'inside', 'deep'].map((part) => idOf(`${part} 3`))).toEqual(['own', 'own', 'own']);
    expect(idOf('no request')).toBeUndefined();
  });

  it('continues a remote trace in a session of its own, which can be added to', async () => {
    const { registry, received } = await startTenants(['a'], { registry: { sessions: 'per-root' } });
    const a = registry.get('a');
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    a.continueFrom({ traceparent }, () =>
      a.withSpan('request', { kind: SpanKind.SERVER }, () => a.enrichSession({ name: 'visit' })),
    );

    expect((await received('a'))['request']?.attributes).toEqual({
      'session.id': expect.stringMatching(UUID),
      'isotrace.session.name': 'visit',
    });
  });
});

describe('a session between processes', () => {
  const allowed = { propagation: { baggage: ['session.id'] } };

  it('travels as baggage only where the allow-list has it', async () => {
    const { registry } = await startTenants(['open', 'shut'], {
      tenant: (id) => (id === 'open' ? allowed : { propagation: { baggage: ['other'] } }),
    });
    await registry.flush();
    const sent = (id: string): string | undefined => {
      const tracer = registry.get(id);
      return tracer.withSession('visit 1', () =>
        tracer.withSpan('call', () => tracer.inject<Record<string, string>>({})['baggage']),
      );
    };
    await new Promise(setImmediate);

    expect(sent('open')).toBe('session.id=visit%201');
    expect(sent('shut')).toBeUndefined();
  });

  it('is taken over only where the allow-list has it, and never when the carrier is ignored', async () => {
    const { registry, received } = await startTenants(['open', 'shut'], {
      tenant: (id) => (id === 'open' ? allowed : {}),
    });
    const carrier = { baggage: 'session.id=visit%201,other=1' };
    for (const id of ['open', 'shut'] as const) {
      const tracer = registry.get(id);
      await new Promise(setImmediate);
      tracer.continueFrom(carrier, () => {
        tracer.startSpan('continued').end();
        expect(tracer.getBaggage('session.id')).toBeUndefined();
      });
      tracer.continueFrom(carrier, { incoming: 'ignore' }, () => tracer.startSpan('ignored').end());
      tracer.continueFrom({ baggage: `session.id=${'x'.repeat(129)}` }, () => tracer.startSpan('too long').end());
    }
    const [open, shut] = [await received('open'), await received('shut')];

    expect(open['continued']?.attributes).toEqual({ 'session.id': 'visit 1' });
    for (const span of [open['ignored'], open['too long'], shut['continued'], shut['ignored']]) {
      expect(span?.attributes).toEqual({});
    }
  });
});
