import type { AgentOptions, AgentSettings, ModelPrice, PriceTable } from '../processing/usage.ts';
import { integer, text } from '../utils/option-checks.ts';
import { type Check, isOptionsObject, OptionReader } from '../utils/option-reader.ts';
import { describeKind, maskKey } from '../utils/secret.ts';

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({
    prices: true,
    currency: true,
    pendingAfterMillis: true,
  } satisfies Record<keyof AgentOptions, true>),
);
const KNOWN_PRICE: ReadonlySet<string> = new Set(
  Object.keys({
    input: true,
    output: true,
    cacheRead: true,
    cacheWrite: true,
  } satisfies Record<keyof ModelPrice, true>),
);
const MAX_PRICES = 1_000;
const MAX_MODEL_LENGTH = 256;

const CURRENCY = text(16);
const PENDING_AFTER_MILLIS = integer('agents.pendingAfterMillis');
const PRICE: Check<number> = {
  accepted: 'a number from 0 to 1000000000',
  parse: (value) => (typeof value === 'number' && value >= 0 && value <= 1_000_000_000 ? value : undefined),
};

export const DEFAULT_AGENTS: AgentSettings = Object.freeze({
  prices: Object.freeze(Object.create(null)),
  currency: 'USD',
  pendingAfterMillis: Number.POSITIVE_INFINITY,
});

/** `base` with what `agents` gives, model by model; `undefined` while neither of them is there. */
export function readAgents(reader: OptionReader, base: AgentSettings | undefined): AgentSettings | undefined {
  const value = reader.get('agents');
  if (value === true) return base ?? DEFAULT_AGENTS;
  const path = reader.pathOf('agents');
  const own = OptionReader.open(value, path, KNOWN, reader.issues);
  if (own === undefined) return base;
  const { prices, currency, pendingAfterMillis } = base ?? DEFAULT_AGENTS;
  return Object.freeze({
    prices: readPrices(own, prices),
    currency: own.read('currency', CURRENCY) ?? currency,
    pendingAfterMillis: own.read('pendingAfterMillis', PENDING_AFTER_MILLIS) ?? pendingAfterMillis,
  });
}

function readPrices(own: OptionReader, base: PriceTable): PriceTable {
  const given = own.get('prices');
  if (given === undefined) return base;
  const path = own.pathOf('prices');
  const models = modelsOf(given);
  if (models === undefined) {
    own.issues.add(path, 'an object', describeKind(given));
    return base;
  }
  if (models.length > MAX_PRICES) own.issues.add(path, `up to ${MAX_PRICES} models`, `${models.length} models`);
  const prices: Record<string, ModelPrice> = Object.assign(Object.create(null), base);
  const table = OptionReader.open(given, path, new Set(models), own.issues);
  for (const model of models.slice(0, MAX_PRICES)) {
    const price = readPrice(table?.get(model), `${path}.${maskKey(model)}`, own);
    if (price === undefined) continue;
    if (model === '' || model.length > MAX_MODEL_LENGTH) {
      own.issues.add(path, `names of 1 to ${MAX_MODEL_LENGTH} characters`, `a name of ${model.length} characters`);
    } else prices[model] = price;
  }
  return Object.freeze(prices);
}

/** A price counts as a whole: half of one would be a wrong one. */
function readPrice(given: unknown, path: string, { issues }: OptionReader): ModelPrice | undefined {
  if (given === undefined) return undefined;
  const before = issues.count;
  const reader = OptionReader.open(given, path, KNOWN_PRICE, issues);
  const [input, output] = [reader?.read('input', PRICE), reader?.read('output', PRICE)];
  const [cacheRead, cacheWrite] = [reader?.read('cacheRead', PRICE), reader?.read('cacheWrite', PRICE)];
  if (issues.count === before && (input === undefined || output === undefined)) {
    issues.add(path, 'input and output', 'one without the other');
  }
  if (input === undefined || output === undefined || issues.count > before) return undefined;
  return Object.freeze({ input, output, cacheRead, cacheWrite });
}

function modelsOf(given: unknown): string[] | undefined {
  try {
    return isOptionsObject(given) ? Object.keys(given) : undefined;
  } catch {
    return undefined;
  }
}
