import { context as contextApi } from '@opentelemetry/api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectBalance } from '../core/registry-kit.ts';
import { inbound, startWorld, work } from '../routing/routing-kit.ts';

const TENANTS = ['a', 'b', 'c'] as const;
type Tenant = (typeof TENANTS)[number];

/** What one request does, one step after the other, while others do theirs. */
type Step =
  | { readonly kind: 'work' | 'unknown' | 'platform' | 'end' }
  | { readonly kind: 'enter' | 'visit' | 'span'; readonly tenant: Tenant };

const tenant = fc.constantFrom(...TENANTS);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('work' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('enter' as const, 'visit', 'span'), tenant }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('unknown' as const, 'platform', 'end') }) },
);
const program = fc.record({
  requests: fc.array(fc.array(step, { maxLength: 8 }), { minLength: 1, maxLength: 8 }),
  turns: fc.array(fc.nat(7), { maxLength: 80 }),
  maxSpans: fc.constantFrom(2, 5, 10_000),
});

describe('requests whose tenants become known while others run', () => {
  it('have every span at their own tenant or unassigned, never at another', async () => {
    await fc.assert(
      fc.asyncProperty(program, async ({ requests, turns, maxSpans }) => {
        const { delivered, registry, spans } = await startWorld(TENANTS, {
          registry: { lateBinding: { maxSpans }, unassigned: 'platform' },
        });
        /** Where a span may arrive, by its name. */
        const places = new Map<string, readonly string[]>();
        const running = requests.map((steps, index) => run(registry, steps, `r${index}`, places));
        for (const turn of turns) running[turn % running.length]?.next();
        for (const request of running) while (request.next().done !== true);
        const arrived = await delivered();
        for (const at of [...TENANTS, 'platform'] as const) {
          for (const name of arrived[at]) expect(places.get(name), name).toContain(at);
        }
        expect(Object.values(arrived).flat().sort()).toEqual([...places.keys()].sort());
        const owners = new Map<string, string>();
        for (const at of [...TENANTS, 'platform'] as const) {
          for (const { traceId } of spans(at)) expect(owners.get(traceId) ?? at).toBe(owners.set(traceId, at) && at);
        }
        for (const at of TENANTS) {
          const ids = new Set(spans(at).map(({ spanId }) => spanId));
          for (const span of spans(at)) expect(span.parentSpanId === '' || ids.has(span.parentSpanId)).toBe(true);
        }
        expect(registry.stats().lateBinding.waiting).toBe(0);
        expectBalance(registry.stats().traces);
        await registry.shutdown();
      }),
      { numRuns: 60 },
    );
  });
});

function* run(
  registry: Awaited<ReturnType<typeof startWorld>>['registry'],
  steps: readonly Step[],
  id: string,
  places: Map<string, readonly string[]>,
): Generator<void, void> {
  const first = steps.find(({ kind }) => kind === 'enter' || kind === 'visit' || kind === 'span' || kind === 'end');
  const claimant = first !== undefined && 'tenant' in first ? first.tenant : 'platform';
  const unbound = [claimant, 'platform'];
  const request = inbound(`${id} root`);
  places.set(`${id} root`, unbound);
  let { context } = request;
  let current: Tenant | undefined;
  let isOver = false;
  for (const [index, step] of steps.entries()) {
    yield;
    const name = `${id} ${index}`;
    contextApi.with(context, () => {
      switch (step.kind) {
        case 'work':
          work(name);
          // A request that gave way before its tenant was known goes on with the platform.
          places.set(name, current === undefined ? unbound : [current]);
          break;
        case 'enter':
          context = registry.run(step.tenant, () => contextApi.active());
          current = step.tenant;
          break;
        case 'visit':
          registry.run(step.tenant, () => work(name));
          places.set(name, [step.tenant]);
          break;
        case 'span':
          registry.get(step.tenant).startSpan(name).end();
          places.set(name, [step.tenant]);
          break;
        case 'platform':
          registry.platform.startSpan(name).end();
          places.set(name, ['platform']);
          break;
        case 'unknown':
          registry.run('made up', () => work(name));
          break;
        case 'end':
          if (!isOver) request.span.end();
          isOver = true;
          break;
      }
    });
  }
  yield;
  if (!isOver) request.span.end();
}
