export {
  type ExpectedAttributes,
  type ExpectedValue,
  SpanExpectation,
} from './testing/expect-span.ts';
export { FakeClock, type FakeClockOptions } from './testing/fake-clock.ts';
export { expectNoLeak, type LeakCheckOptions, type LeakCheckTenant } from './testing/leak-check.ts';
export type { RecordedKind, RecordedSpan } from './testing/recorded-span.ts';
export {
  createTestRegistry,
  createTestTracer,
  type TenantRecord,
  type TestRegistry,
  type TestTracer,
} from './testing/test-tracer.ts';
