import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyCompletion, completionPlace, quoteValue } from '../../../src/dashboard/page/model/complete-query.ts';
import { curlOf } from '../../../src/dashboard/page/model/copy-trace.ts';
import { criticalPath } from '../../../src/dashboard/page/model/critical-path.ts';
import { FollowedLogs } from '../../../src/dashboard/page/model/followed-logs.ts';
import { formatBytes, formatCost, formatDuration } from '../../../src/dashboard/page/model/format.ts';
import { countRecords, importRequests } from '../../../src/dashboard/page/model/otlp-file.ts';
import { buildSpanTree, type SpanTree, visibleNodes } from '../../../src/dashboard/page/model/span-tree.ts';
import { fillSteps } from '../../../src/dashboard/page/model/steps.ts';
import { findInTrace, nextMatch } from '../../../src/dashboard/page/model/trace-search.ts';
import { rollUpUsage, usageByModel } from '../../../src/dashboard/page/model/usage-rollup.ts';
import type { WireLog, WireSpan } from '../../../src/dashboard/page/model/wire.ts';
import { parseQuery } from '../../../src/dashboard/query/parse-query.ts';

interface Spec {
  readonly id: string;
  readonly parent?: string;
  /** Milliseconds. */
  readonly at?: number;
  readonly takes?: number;
  readonly tenant?: string;
  readonly attributes?: WireSpan['attributes'];
  readonly error?: boolean;
}

function treeOf(...specs: readonly Spec[]): SpanTree {
  return buildSpanTree(specs.map(spanOf));
}

function spanOf({
  id,
  parent = '',
  at = 0,
  takes = 1,
  tenant = 'acme',
  attributes = {},
  error = false,
}: Spec): WireSpan {
  const scope = { name: '', version: '', attributes: {} };
  const counts = { droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 };
  return {
    ...{
      tenant,
      service: 'web',
      resource: {},
      scope,
      traceId: 'a'.repeat(32),
      spanId: id,
      parentSpanId: parent,
      traceState: '',
      flags: 1,
    },
    ...{ name: id, kind: 'internal', attributes, ...counts, events: [], links: [] },
    startTimeUnixNano: String(1_700_000_000_000_000_000n + BigInt(Math.round(at * 1e6))),
    endTimeUnixNano: String(1_700_000_000_000_000_000n + BigInt(Math.round((at + takes) * 1e6))),
    status: { code: error ? 'error' : 'unset', message: '' },
  };
}

const anySpans = fc
  .array(fc.record({ parent: fc.nat(20), at: fc.nat(50), takes: fc.nat(50) }), { minLength: 1, maxLength: 20 })
  .map((specs) =>
    specs.map(({ parent, ...rest }, number) => ({
      ...rest,
      id: `s${number}`,
      parent: parent === 20 ? '' : `s${parent}`,
    })),
  );

describe('the tree of a trace', () => {
  it('has parents before their children, siblings by start, and each tenant apart', () => {
    const tree = treeOf(
      { id: 'late', parent: 'root', at: 5 },
      { id: 'root', takes: 10 },
      { id: 'early', parent: 'root', at: 1 },
      { id: 'inner', parent: 'early', at: 2 },
      { id: 'foreign', parent: 'root', at: 3, tenant: 'globex' },
    );
    expect(tree.nodes.map(({ span, depth }) => `${depth} ${span.name}`)).toEqual([
      '0 root',
      '1 early',
      '2 inner',
      '1 late',
      '0 foreign',
    ]);
    expect(tree.missing).toBe(1);
    expect(tree.durationNanos).toBe(10e6);
    expect(visibleNodes(tree, new Set([tree.nodes[1]?.span as WireSpan])).map(({ span }) => span.name)).toEqual([
      'root',
      'early',
      'late',
      'foreign',
    ]);
  });

  it('holds every span once whatever the ids say, also when they make a cycle', () => {
    fc.assert(
      fc.property(anySpans, (specs) => {
        const tree = treeOf(...specs);
        expect(tree.nodes.map(({ span }) => span.name).sort()).toEqual(specs.map(({ id }) => id).sort());
        for (const node of tree.nodes) expect(node.parent === undefined || node.parent.index < node.index).toBe(true);
      }),
    );
    expect(treeOf({ id: 'a', parent: 'b' }, { id: 'b', parent: 'a' }).nodes).toHaveLength(2);
    expect(treeOf({ id: 'a', parent: 'a' }).nodes).toHaveLength(1);
  });

  it('says when a span starts before its parent', () => {
    const tree = treeOf({ id: 'root', at: 10 }, { id: 'child', parent: 'root', at: 2 });
    expect(tree.skewed).toBe(1);
    expect(tree.startMillis).toBe(1_700_000_000_002);
  });

  it('takes 50,000 spans, also in one line', () => {
    const specs = Array.from({ length: 50_000 }, (_, at) => ({
      id: `s${at}`,
      ...(at > 0 && { parent: `s${at - 1}` }),
      at,
    }));
    const tree = treeOf(...specs);
    expect(tree.nodes.at(-1)?.depth).toBe(49_999);
    expect(criticalPath(tree.nodes[0] as never).length).toBeGreaterThan(0);
  });
});

describe('the critical path', () => {
  const pathOf = (tree: SpanTree) =>
    criticalPath(tree.roots[0] as never).map(({ node, start, end }) => [node.span.name, start / 1e6, end / 1e6]);

  it('is the span itself when it has no children', () => {
    expect(pathOf(treeOf({ id: 'root', takes: 4 }))).toEqual([['root', 0, 4]]);
  });

  it('goes through the child that ended last, and leaves out what nobody waited for', () => {
    const tree = treeOf(
      { id: 'root', takes: 10 },
      { id: 'first', parent: 'root', at: 1, takes: 3 },
      { id: 'aside', parent: 'root', at: 5, takes: 2 },
      { id: 'last', parent: 'root', at: 5, takes: 4 },
    );
    expect(pathOf(tree)).toEqual([
      ['root', 0, 1],
      ['first', 1, 4],
      ['root', 4, 5],
      ['last', 5, 9],
      ['root', 9, 10],
    ]);
  });

  it('counts a child that outlives its parent up to its end, and not one that began after it', () => {
    const tree = treeOf(
      { id: 'root', takes: 10 },
      { id: 'long', parent: 'root', at: 4, takes: 100 },
      { id: 'after', parent: 'root', at: 12 },
    );
    expect(pathOf(tree)).toEqual([
      ['root', 0, 4],
      ['long', 4, 10],
    ]);
  });

  it('fills the time of the root without a gap and without overlapping', () => {
    fc.assert(
      fc.property(anySpans, (specs) => {
        const root = treeOf(...specs).roots[0];
        if (root === undefined || root.end === root.start) return;
        const segments = criticalPath(root);
        expect(segments[0]?.start).toBe(root.start);
        expect(segments.at(-1)?.end).toBe(root.end);
        for (const [at, { start, end, node }] of segments.entries()) {
          expect(end).toBeGreaterThan(start);
          expect(start).toBeGreaterThanOrEqual(node.start);
          if (at > 0) expect(start).toBe(segments[at - 1]?.end);
        }
      }),
    );
  });
});

describe('tokens and costs', () => {
  const call = (input: number, output: number, cost?: number, model = 'm') => ({
    'gen_ai.usage.input_tokens': input,
    'gen_ai.usage.output_tokens': output,
    'gen_ai.request.model': model,
    ...(cost !== undefined && { 'isotrace.usage.cost': cost }),
  });

  it('go up to the root, and are not counted twice where an agent reports the sum of its calls', () => {
    const tree = treeOf(
      { id: 'root' },
      { id: 'agent', parent: 'root', attributes: call(30, 12) },
      { id: 'one', parent: 'agent', attributes: call(10, 2, 0.5) },
      { id: 'two', parent: 'agent', attributes: call(20, 10, undefined, 'n') },
    );
    const sums = rollUpUsage(tree);
    expect(sums.get(tree.roots[0] as never)).toEqual({
      calls: 2,
      inputTokens: 30,
      outputTokens: 12,
      cost: 0.5,
      unpriced: 1,
    });
    expect(usageByModel(tree).map(({ model, calls, inputTokens }) => [model, calls, inputTokens])).toEqual([
      ['m', 1, 10],
      ['n', 1, 20],
    ]);
  });

  it('are the sum of all calls at the roots, in any tree', () => {
    fc.assert(
      fc.property(anySpans, (specs) => {
        const tree = treeOf(...specs.map((spec, at) => ({ ...spec, attributes: {}, at })));
        const leaves = tree.nodes.filter(({ children }) => children.length === 0);
        const priced = treeOf(
          ...specs.map((spec, at) => ({
            ...spec,
            at,
            ...(leaves.some(({ span }) => span.name === spec.id) && { attributes: call(1, 2, 0.25) }),
          })),
        );
        const sums = rollUpUsage(priced);
        expect(priced.roots.reduce((total, root) => total + (sums.get(root)?.cost ?? 0), 0)).toBe(leaves.length * 0.25);
      }),
    );
  });
});

describe('completion in a query', () => {
  it.each<[string, string | undefined, string]>([
    ['|', undefined, ''],
    ['serv|', undefined, 'serv'],
    ['status:error -ki|', undefined, 'ki'],
    ['service:a|', 'service', 'a'],
    ['service:a,b|', 'service', 'b'],
    ['-level>=wa|', 'severity', 'wa'],
    ['name:"load ca|', 'name', 'load ca'],
    ['attr.http.route=/x|', 'attr.http.route', '/x'],
  ])('at %s is about the field %s, from "%s" on', (text, field, prefix) => {
    expect(completionPlace(text.replace('|', ''), text.indexOf('|'))).toMatchObject({ field, prefix });
  });

  it.each(['dur>2|', 'trace:ab|', '"a text|'])('has nothing to offer at %s', (text) => {
    expect(completionPlace(text.replace('|', ''), text.indexOf('|'))).toBeUndefined();
  });

  it.each<[string, string, string]>([
    ['serv|', 'service', 'service:|'],
    ['du|', 'duration', 'duration>|'],
    ['attr.ht|', 'attr.http.route', 'http.route:|'],
    ['attr.u|', 'attr.user', 'attr.user:|'],
    ['service:a| status:ok', 'api', 'service:api| status:ok'],
    ['name:"load ca|"', 'load cart', 'name:"load cart" |'],
    ['name:|', 'a "b" \\c', 'name:"a \\"b\\" \\\\c" |'],
  ])('makes of %s with %s: %s', (before, chosen, after) => {
    const text = before.replace('|', '');
    const place = completionPlace(text, before.indexOf('|'));
    const { text: written, caret } = applyCompletion(text, place as never, chosen, 'traces');
    expect(`${written.slice(0, caret)}|${written.slice(caret)}`).toBe(after);
  });

  it('quotes any value so that the parser reads the very same', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), (value) => {
        const result = parseQuery(`name:${quoteValue(value)}`, 'traces');
        expect(result).toMatchObject({
          ok: true,
          query: { conditions: [{ type: 'field', patterns: [{ text: value, wildcard: false }] }] },
        });
      }),
    );
  });
});

describe('files with OTLP', () => {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text));
  const spans = '{"resourceSpans":[]}';
  const logs = '{"resourceLogs":[]}';

  it.each<[string, string, string[]]>([
    ['one object', spans, ['traces']],
    ['objects of two signals', `{"resourceSpans":[],"resourceMetrics":[]}`, ['traces', 'metrics']],
    ['a list', `[${spans},${logs}]`, ['traces', 'logs']],
    ['lines', `${spans}\n${logs}\n\nno JSON\n`, ['traces', 'logs']],
    ['something else', '{"x":1}', []],
  ])('are read as %s', (_case, text, signals) => {
    expect(importRequests('x.json', bytes(text)).map(({ signal }) => signal)).toEqual(signals);
  });

  it('are read as protobuf, alone or with lengths, of the signal that the name says', () => {
    const message = Uint8Array.of(10, 0);
    expect(importRequests('logs.pb', message)).toEqual([
      { signal: 'logs', contentType: 'application/x-protobuf', body: message },
    ]);
    const framed = Uint8Array.of(0, 0, 0, 2, 10, 0, 0, 0, 0, 2, 10, 0);
    expect(
      importRequests('metrics.bin', framed).map(({ signal, body }) => [signal, [...(body as Uint8Array)]]),
    ).toEqual([
      ['metrics', [10, 0]],
      ['metrics', [10, 0]],
    ]);
    expect(importRequests('x.pb', framed.subarray(0, 11))).toHaveLength(1);
  });
});

describe('log records that are followed', () => {
  const logAt = (millis: number, body = String(millis)): WireLog =>
    ({
      timeUnixNano: `${millis}000000`,
      observedTimeUnixNano: `${millis}000000`,
      tenant: 'acme',
      spanId: '',
      body,
    }) as WireLog;

  it('are there once each, however answers and what is told interleave', () => {
    const step = fc.constantFrom('store', 'tell', 'ask', 'look', 'answer');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const followed = new FollowedLogs(1_000);
        const stored: WireLog[] = [];
        let toldUntil = 0;
        let isAsked = false;
        /** What the answer on its way has. */
        let seen: readonly WireLog[] | undefined;
        let shown: readonly WireLog[] = [];
        const tell = (): void => {
          shown = followed.tell(stored.slice(toldUntil).toReversed());
          toldUntil = stored.length;
        };
        for (const next of [...steps, 'ask', 'look', 'answer', 'tell']) {
          if (next === 'store') stored.push(logAt(stored.length + 1));
          else if (next === 'tell') tell();
          else if (next === 'ask' && !isAsked) {
            isAsked = true;
            followed.ask('logs');
          } else if (next === 'look' && isAsked) seen ??= stored.toReversed();
          else if (next === 'answer' && seen !== undefined) {
            shown = followed.answer(seen);
            isAsked = false;
            seen = undefined;
          }
        }
        expect(shown.map(({ body }) => body)).toEqual(stored.map(({ body }) => body).toReversed());
      }),
    );
  });

  it('are as many as there are, also where they are the same, and the newest of too many', () => {
    const followed = new FollowedLogs(3);
    followed.ask('logs');
    followed.tell([logAt(5, 'same')]);
    expect(followed.answer([logAt(5, 'same'), logAt(5, 'same')])).toHaveLength(2);
    expect(followed.tell([logAt(5, 'same')])).toHaveLength(2);
    expect(followed.tell([logAt(5, 'same')])).toHaveLength(3);
    expect(followed.tell([logAt(6), logAt(4)]).map(({ body }) => body)).toEqual(['6', 'same', 'same']);
  });

  it('begin anew with another search, and are the very same objects as long as they are shown', () => {
    const followed = new FollowedLogs(9);
    followed.ask('one');
    followed.answer([logAt(2), logAt(1)]);
    const [told] = followed.tell([logAt(3)]);
    followed.ask('one');
    expect(followed.answer([logAt(3), logAt(2)])[0]).toBe(told);
    followed.ask('other');
    expect(followed.tell([logAt(2)]).map(({ body }) => body)).toEqual(['2']);
    expect(followed.answer([logAt(2), logAt(0)]).map(({ body }) => body)).toEqual(['2', '0']);
  });
});

describe('searching in a trace', () => {
  it('finds spans with all words, and goes round', () => {
    const tree = treeOf(
      { id: 'root' },
      { id: 'a', parent: 'root', attributes: { key: 'Value' } },
      { id: 'b', parent: 'root', at: 1, attributes: { key: 'value', more: 7 } },
    );
    const names = (text: string) => [...findInTrace(tree, text)].map(({ span }) => span.name);
    expect(names('VALUE')).toEqual(['a', 'b']);
    expect(names('key=value more=7')).toEqual(['b']);
    expect(names('')).toEqual([]);
    const [, first, second] = tree.nodes;
    const wanted = (node: unknown) => node === first || node === second;
    expect(nextMatch(tree, undefined, wanted, 1)).toBe(first);
    expect(nextMatch(tree, second, wanted, 1)).toBe(first);
    expect(nextMatch(tree, first, wanted, -1)).toBe(second);
    expect(nextMatch(tree, first, () => false, 1)).toBeUndefined();
  });
});

describe('what is written', () => {
  it.each<[string, string]>([
    [formatDuration(999), '999 ns'],
    [formatDuration(1_250_000), '1.25 ms'],
    [formatDuration(90e9), '1.5 min'],
    [formatBytes(1_536), '1.5 KiB'],
    [formatCost(0.00042), '$0.00042'],
    [formatCost(12.345), '$12.35'],
    [curlOf('http://x', `/a?b='; rm -rf '`), `curl -sS 'http://x/a?b=%27;%20rm%20-rf%20%27'`],
  ])('reads %s', (written, expected) => {
    expect(written).toBe(expected);
  });

  it('has a step for each part of the time, also where nothing happened', () => {
    const step = { timeMillis: 60_000, count: 3, errors: 0, p50Nanos: 1, p95Nanos: 1, p99Nanos: 1, maxNanos: 1 };
    expect(fillSteps([step], 60_000, 30_000, 200_000).map(({ count }) => count)).toEqual([0, 3, 0, 0]);
  });
});

describe('what was exported', () => {
  it('is counted by log records and by data points of all kinds', () => {
    const scopeLogs = [{ logRecords: [1, 2] }, { logRecords: [3] }];
    expect(countRecords({ resourceLogs: [{ scopeLogs }, { scopeLogs: [] }] })).toBe(3);
    const metrics = [
      { name: 'a', unit: '1', gauge: { dataPoints: [1] } },
      { name: 'b', sum: { dataPoints: [1, 2] } },
    ];
    expect(countRecords({ resourceMetrics: [{ scopeMetrics: [{ metrics: metrics as never }] }] })).toBe(3);
    expect(countRecords({})).toBe(0);
  });
});
