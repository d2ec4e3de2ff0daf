import { HOST_PATTERN_ACCEPTED, type HostPattern, parseHostPattern } from '../utils/host-pattern.ts';
import { text } from '../utils/option-checks.ts';
import { type Check, type OptionReader, REFUSED } from '../utils/option-reader.ts';
import type { PropagationOptions } from './options.ts';
import type { PropagationSettings } from './settings.ts';

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({ baggage: true, propagateTo: true } satisfies Record<keyof PropagationOptions, true>),
);
const BAGGAGE_KEY = text(256);
const MAX_BAGGAGE_KEYS = 128;
const HOST: Check<HostPattern> = { accepted: HOST_PATTERN_ACCEPTED, parse: parseHostPattern };
const MAX_HOSTS = 128;
const NO_HOST: readonly HostPattern[] = Object.freeze([]);

/** `base` with what the options give. */
export function readPropagation(reader: OptionReader, base: PropagationSettings): PropagationSettings {
  const own = reader.open('propagation', KNOWN);
  if (own === undefined) return base;
  const baggage = readBaggage(own) ?? base.baggage;
  const given = own.getOrRefused('propagateTo');
  const propagateTo = given === undefined ? base.propagateTo : readHosts(own, given);
  if (baggage === base.baggage && propagateTo === base.propagateTo) return base;
  return Object.freeze({ baggage, propagateTo });
}

function readBaggage(own: OptionReader): PropagationSettings['baggage'] | undefined {
  const given = own.get('baggage');
  if (typeof given === 'function') return given as PropagationSettings['baggage'];
  return given === undefined ? undefined : own.readList('baggage', BAGGAGE_KEY, MAX_BAGGAGE_KEYS);
}

/** Of what is not acceptable, nothing is left: it was given to keep something in. */
function readHosts(own: OptionReader, given: unknown): PropagationSettings['propagateTo'] {
  if (given === REFUSED) return NO_HOST;
  if (typeof given === 'function') return given as PropagationSettings['propagateTo'];
  return own.readList('propagateTo', HOST, MAX_HOSTS) ?? NO_HOST;
}
