import type { Attributes } from '@opentelemetry/api';

/** How a span is made: started and ended, as the active child of an active parent, or around a wrapped function. */
export const SHAPES = ['span0', 'span8', 'child', 'child8', 'sync', 'async'] as const;
export type Shape = (typeof SHAPES)[number];

/** What a peer's tenant can be asked to do. Each call answers how many spans it made. */
export interface Work {
  /** `count` spans of a shape; those of the activated shapes under one more span, their parent. */
  repeat(shape: Shape, count: number): number | Promise<number>;
  /** `count` active spans with the attributes of their turn, and their parent. */
  children(attributesOf: (turn: number) => Attributes, count: number): number;
  /** One traced request: a root with three children, each with 8 attributes. */
  request(): number;
  /** One root span with 8 attributes. */
  single(): number;
}

const PATHS = Array.from({ length: 64 }, (_, index) => `/orders/${1_000 + index}`);

/** The 8 attributes of a usual HTTP span: five strings, two integers and a boolean. */
export function eightAttributes(turn: number): Attributes {
  return {
    'http.request.method': 'GET',
    'http.route': '/orders/:id',
    'url.path': PATHS[turn & 63] as string,
    'http.response.status_code': 200,
    'server.address': 'shop.example',
    'user.plan': 'professional',
    'cart.items': turn & 15,
    'cache.hit': (turn & 1) === 0,
  };
}

/** So many attributes: of eight, five strings, two integers and a boolean. */
export function manyAttributes(count: number, turn: number): Attributes {
  const entries = Array.from({ length: count }, (_, index) => {
    const kind = index & 7;
    const value = kind < 5 ? (PATHS[(turn + index) & 63] as string) : kind < 7 ? turn + index : (turn & 1) === 0;
    return [`app.attribute.${index}`, value];
  });
  // Parsed, it is laid out like a literal; with its keys added one by one V8 would make it a hash table.
  return JSON.parse(JSON.stringify(Object.fromEntries(entries)));
}
