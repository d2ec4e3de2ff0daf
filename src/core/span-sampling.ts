import { createHostSampler, createRuleSampler, type SpanSampler } from '../processing/sampling.ts';
import { TokenBucket } from '../processing/token-bucket.ts';
import type { Clock } from '../utils/clock.ts';
import type { Guard } from '../utils/guard.ts';
import type { SamplingSettings } from './settings.ts';

/** The rate that settings ask for: `current` when that is it, so that a change of other options refills nothing. */
export function rateOf(
  sampling: SamplingSettings,
  current: TokenBucket | undefined,
  clock: Clock,
): TokenBucket | undefined {
  if (sampling.kind !== 'rules' || sampling.spansPerSecond === Number.POSITIVE_INFINITY) return undefined;
  const { spansPerSecond } = sampling;
  return current?.perSecond === spansPerSecond ? current : new TokenBucket(spansPerSecond, clock);
}

/** The sampler that settings ask for. */
export function samplerOf(sampling: SamplingSettings, rate: TokenBucket | undefined, guard: Guard): SpanSampler {
  if (sampling.kind === 'sampler') return createHostSampler(sampling.sampler, guard.hook('sampler', 'shouldSample'));
  const { keepErrors, keepSlowerThanMillis, parentBased, ratio } = sampling;
  const hasTail = keepErrors || keepSlowerThanMillis !== Number.POSITIVE_INFINITY;
  return createRuleSampler({
    ratio,
    parentBased,
    rate,
    tail: hasTail ? { keepErrors, keepSlowerThanMillis } : undefined,
  });
}
