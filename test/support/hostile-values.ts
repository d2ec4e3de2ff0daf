/** What a function of the host throws when it is called: the only error that may come out of one of our calls. */
export const USER_ERROR: unknown = Object.freeze({ thrownBy: 'a function of the host' });
/** What a value of the host throws when it is looked at; never to come out. */
export const LOOK_ERROR: unknown = Object.freeze({ thrownBy: 'a value of the host' });

export interface HostileValue {
  readonly name: string;
  readonly value: unknown;
}

const throwing = (): never => {
  throw USER_ERROR;
};
const refusing = (): never => {
  throw LOOK_ERROR;
};

/** Every trap throws, so that no look at it succeeds. */
const traps = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).map((trap) => [trap, refusing]),
) as ProxyHandler<object>;

/** As a value that looks like everything and gives nothing: each property that our API reads is a getter that throws. */
function throwingGetters(): object {
  const names = [
    ...['name', 'kind', 'attributes', 'links', 'startTime', 'root', 'callback', 'code', 'message', 'stack', 'context'],
    ...['traceId', 'spanId', 'traceFlags', 'traceState', 'isRemote', 'spanContext', 'getValue', 'setValue', 'then'],
    ...['timeoutMillis', 'incoming', 'getter', 'setter', 'get', 'set', 'keys', 'id', 'destination', 'configure'],
    ...['model', 'tool', 'agent', 'workflow', 'metadata', 'inputs', 'outputs', 'error', 'include', 'capture'],
    ...['sampling', 'limits', 'batch', 'logger', 'clock', 'tracer', 'strict', 'resilience', 'endpoint', 'toString'],
  ];
  const object = {};
  for (const name of names) Object.defineProperty(object, name, { get: refusing, enumerable: true });
  Object.defineProperty(object, Symbol.iterator, { get: refusing });
  return object;
}

function cyclic(): object {
  const object: Record<string, unknown> = { name: 'cycle' };
  object['self'] = object;
  object['list'] = [object, [object]];
  return object;
}

/** Two levels a step: as large as 2^64 values to whoever follows it blindly. */
function tangled(): unknown {
  let value: unknown = 'leaf';
  for (let level = 0; level < 64; level += 1) value = [value, value];
  return value;
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function* endless(): Generator<number> {
  for (let index = 0; ; index += 1) yield index;
}

/** 100 million characters; every user shares the one. */
export const HUGE_STRING = 'x'.repeat(100_000_000);

/** Values that no sane caller passes. */
export function hostileValues(): readonly HostileValue[] {
  made ??= makeHostileValues();
  return made;
}

let made: readonly HostileValue[] | undefined;

function makeHostileValues(): HostileValue[] {
  const values: Record<string, unknown> = {
    undefined: undefined,
    null: null,
    true: true,
    zero: 0,
    'negative number': -1,
    NaN: Number.NaN,
    infinity: Number.POSITIVE_INFINITY,
    'huge number': Number.MAX_VALUE,
    bigint: 12345678901234567890n,
    'bigint of a megabit': 1n << 1_000_000n,
    symbol: Symbol('hostile'),
    'empty string': '',
    'lone surrogate': '\ud800',
    'line breaks': 'a\r\nb\0c',
    'huge string': HUGE_STRING,
    'boxed huge string': Object(HUGE_STRING),
    'boxed symbol': Object(Symbol('boxed')),
    'plain object': {},
    'null prototype': Object.assign(Object.create(null), { a: 1, __proto__: 2 }),
    'throwing getters': throwingGetters(),
    'throwing proxy': new Proxy({}, traps),
    'throwing array proxy': new Proxy([], traps),
    'revoked proxy': revoked({}),
    'revoked array': revoked([]),
    'revoked function': revoked(() => undefined),
    cyclic: cyclic(),
    tangled: tangled(),
    'huge sparse array': new Array(4_294_967_295),
    'huge array': new Array(1_000_000).fill(null),
    'huge buffer': Buffer.alloc(10_000_000),
    'huge float array': new Float64Array(1_000_000),
    'endless iterable': endless(),
    'NaN date': new Date(Number.NaN),
    'no date': Object.create(Date.prototype),
    'no error': Object.create(Error.prototype),
    'throwing function': throwing,
    'rejecting function': async () => throwing(),
    'proxied function': new Proxy(() => undefined, { ...traps, apply: () => 'applied' }),
    'function that prints badly': Object.assign(() => 'ran', { toString: refusing, message: Symbol('message') }),
    'throwing thenable': { then: refusing },
    'rejecting thenable': { then: (_: unknown, reject: (error: unknown) => void) => reject(USER_ERROR) },
    map: new Map([[{}, {}]]),
    'polluting record': JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
    'error with hostile fields': Object.defineProperties(new Error('host'), {
      stack: { get: refusing },
      message: { get: refusing },
      name: { value: Symbol('name') },
    }),
  };
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}
