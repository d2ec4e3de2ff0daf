import type { Attributes } from '@opentelemetry/api';

/** What calls of one model cost, in the currency of the table, for a million tokens of each kind. */
export interface ModelPrice {
  /** Of input that was not read from a cache. */
  readonly input: number;
  /** Of what the model wrote. */
  readonly output: number;
  /** Of input read from the provider's cache. Default: `input`. */
  readonly cacheRead?: number | undefined;
  /** Of input written to the provider's cache. Default: `input`. */
  readonly cacheWrite?: number | undefined;
}

/** Prices by the name of the model. */
export type PriceTable = Readonly<Record<string, ModelPrice>>;

/** How tokens and costs are added up, and what is told about long runs. */
export interface AgentOptions {
  /**
   * Prices by model, up to 1,000; a tenant's come over the registry's, model by model. A model that is not in the table
   * has the price of the longest name in it that its own begins with, before a `-`, `:`, `@` or `.`: `gpt-x` is the price of
   * `gpt-x-2026-01-31`. Default: none, and costs are not known.
   */
  prices?: PriceTable | undefined;
  /** What costs are in, for people: 1 to 16 characters. Default: `USD`. */
  currency?: string | undefined;
  /**
   * Exports a record of each span that is open for so long, in milliseconds, so that long runs are seen before they end.
   * 100 to 86,400,000. Default: none.
   */
  pendingAfterMillis?: number | undefined;
}

/** {@link AgentOptions} complete. */
export interface AgentSettings {
  readonly prices: PriceTable;
  readonly currency: string;
  /** `Infinity`: no pending spans. */
  readonly pendingAfterMillis: number;
}

/** Tokens of one call, as the semantic conventions count: what was read from or written to a cache is part of the input. */
export interface TokenUsage {
  /** What went into the model. Default: 0, as of the three below. */
  readonly inputTokens?: number | undefined;
  /** What the model wrote. */
  readonly outputTokens?: number | undefined;
  /** Of the input: what was read from a cache. */
  readonly cacheReadTokens?: number | undefined;
  /** Of the input: what was written into a cache. */
  readonly cacheWriteTokens?: number | undefined;
  /** The model that answered, where it is not the one that was asked. Default: by the span's attributes. */
  readonly model?: string | undefined;
  /** What the call cost, where the provider says so, in the table's currency; it comes over that. Default: by the table. */
  readonly cost?: number | undefined;
}

/** What was spent, since the tracer was made or by one trace. */
export interface UsageTotals {
  /** Calls that told their tokens or cost. */
  readonly calls: number;
  /** What was read from or written to a cache is part of it. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** In `currency`, of the calls whose price is known. */
  readonly cost: number;
  /** Calls whose price is not known. */
  readonly unpriced: number;
}

/** What the agents of a tenant have used. */
export interface TenantUsage extends UsageTotals {
  readonly currency: string;
  /** By the model that answered; of more than 100 models the others are together under `_other`. */
  readonly models: Readonly<Record<string, UsageTotals>>;
}

/** What a call that is known by its attributes used. */
export interface SpanUsage {
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly cost: number | undefined;
}

export const COST_KEY = 'isotrace.usage.cost';
const INPUT_KEY = 'gen_ai.usage.input_tokens';
const OUTPUT_KEY = 'gen_ai.usage.output_tokens';
const CACHE_READ_KEY = 'gen_ai.usage.cache_read.input_tokens';
const CACHE_WRITE_KEY = 'gen_ai.usage.cache_creation.input_tokens';
const MILLION = 1_000_000;
const MAX_MODELS = 100;
const OTHER_MODELS = '_other';
/** What may follow the name of a model that is in the table. */
const VERSION_MARK = /[-:@.]/;

/** The attributes of a span that used tokens (semantic conventions for generative AI). What is no count is left out. */
export function usageAttributes(usage: TokenUsage): Attributes {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, model, cost } = usage;
  return {
    ...(isAmount(inputTokens) && { [INPUT_KEY]: inputTokens }),
    ...(isAmount(outputTokens) && { [OUTPUT_KEY]: outputTokens }),
    ...(isAmount(cacheReadTokens) && { [CACHE_READ_KEY]: cacheReadTokens }),
    ...(isAmount(cacheWriteTokens) && { [CACHE_WRITE_KEY]: cacheWriteTokens }),
    ...(typeof model === 'string' && { 'gen_ai.response.model': model }),
    ...(isAmount(cost) && { [COST_KEY]: cost }),
  };
}

/** What a span used, by its attributes; `undefined` when they do not tell. */
export function readUsage(get: (key: string) => unknown): SpanUsage | undefined {
  const [input, output, cost] = [get(INPUT_KEY), get(OUTPUT_KEY), get(COST_KEY)];
  if (!isAmount(input) && !isAmount(output) && !isAmount(cost)) return undefined;
  const model = get('gen_ai.response.model') ?? get('gen_ai.request.model');
  return {
    model: typeof model === 'string' && model !== '' ? model : 'unknown',
    inputTokens: amountOf(input),
    outputTokens: amountOf(output),
    cacheReadTokens: amountOf(get(CACHE_READ_KEY)),
    cacheWriteTokens: amountOf(get(CACHE_WRITE_KEY)),
    cost: isAmount(cost) ? cost : undefined,
  };
}

/** The cost of a call by the table, where it was not told; `undefined` when the model has no price. */
export function priceOf(usage: SpanUsage, prices: PriceTable): number | undefined {
  if (usage.cost !== undefined) return usage.cost;
  const price = findPrice(usage.model, prices);
  if (price === undefined) return undefined;
  const { input, output, cacheRead = input, cacheWrite = input } = price;
  const { cacheReadTokens, cacheWriteTokens, inputTokens, outputTokens } = usage;
  const fresh = Math.max(inputTokens - cacheReadTokens - cacheWriteTokens, 0);
  const sum = fresh * input + cacheReadTokens * cacheRead + cacheWriteTokens * cacheWrite + outputTokens * output;
  return sum / MILLION;
}

function findPrice(model: string, prices: PriceTable): ModelPrice | undefined {
  if (Object.hasOwn(prices, model)) return prices[model];
  for (let length = model.length - 1; length > 0; length -= 1) {
    if (!VERSION_MARK.test(model.charAt(length))) continue;
    const name = model.slice(0, length);
    if (Object.hasOwn(prices, name)) return prices[name];
  }
  return undefined;
}

/** A sum of calls. */
export class UsageSum {
  #calls = 0;
  #inputTokens = 0;
  #outputTokens = 0;
  #cost = 0;
  #unpriced = 0;

  add(usage: SpanUsage, cost: number | undefined): void {
    this.#calls += 1;
    this.#inputTokens += usage.inputTokens;
    this.#outputTokens += usage.outputTokens;
    if (cost === undefined) this.#unpriced += 1;
    else this.#cost += cost;
  }

  get totals(): UsageTotals {
    return {
      calls: this.#calls,
      inputTokens: this.#inputTokens,
      outputTokens: this.#outputTokens,
      cost: this.#cost,
      unpriced: this.#unpriced,
    };
  }
}

/** All that one tenant spent. */
export class UsageAccount {
  readonly #sum = new UsageSum();
  readonly #models = new Map<string, UsageSum>();

  add(usage: SpanUsage, cost: number | undefined): void {
    this.#sum.add(usage, cost);
    const name = this.#models.has(usage.model) || this.#models.size < MAX_MODELS ? usage.model : OTHER_MODELS;
    let model = this.#models.get(name);
    if (model === undefined) {
      model = new UsageSum();
      this.#models.set(name, model);
    }
    model.add(usage, cost);
  }

  snapshot(currency: string): TenantUsage {
    const models: Record<string, UsageTotals> = Object.create(null);
    for (const [name, sum] of this.#models) models[name] = sum.totals;
    return { ...this.#sum.totals, currency, models };
  }
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function amountOf(value: unknown): number {
  return isAmount(value) ? value : 0;
}
