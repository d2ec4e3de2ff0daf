import { ROOT_CONTEXT } from '@opentelemetry/api';
import * as core from '@opentelemetry/core';
import { describe, expect, it } from 'vitest';
import { isTracingSuppressed, suppressTracing } from '../../src/utils/suppress-tracing.ts';

describe('suppressTracing', () => {
  it('is what OpenTelemetry knows as suppressed, and the other way round', () => {
    expect(isTracingSuppressed(ROOT_CONTEXT)).toBe(false);
    expect(core.isTracingSuppressed(suppressTracing(ROOT_CONTEXT))).toBe(true);
    expect(isTracingSuppressed(core.suppressTracing(ROOT_CONTEXT))).toBe(true);
    expect(isTracingSuppressed(core.unsuppressTracing(suppressTracing(ROOT_CONTEXT)))).toBe(false);
  });
});
