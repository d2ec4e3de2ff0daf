import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatItem, itemsOf, type LiveUpdate, TAIL_FORMATS } from '../../src/cli/tail-format.ts';
import { printable, Terminal, toJson } from '../../src/cli/terminal.ts';
import { isotraceOnce } from './cli-kit.ts';

/** What moves the cursor, sets titles, writes to the clipboard or turns the direction of writing. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;
const ATTACKS = [
  '\u001b[2J',
  '\u001b]0;title\u0007',
  '\u001b]52;c;ZXZpbA==\u0007',
  '\u009b31m',
  'a\rb',
  'x\u202eevil',
  '\b\b',
  'a\nb',
  '\u2028',
];

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...ATTACKS));
const terminal = new Terminal({ stdout: process.stdout, stderr: process.stderr, env: { NO_COLOR: '1' } });

describe('what is printed', () => {
  it.each(ATTACKS)('spells %j out', (attack) => {
    expect(printable(attack)).not.toMatch(UNSAFE);
    expect(toJson(attack)).not.toMatch(UNSAFE);
    expect(JSON.parse(toJson(attack))).toBe(attack);
  });

  it('leaves other text alone', () => {
    expect(printable('grüße 日本語 👍 a-b_c')).toBe('grüße 日本語 👍 a-b_c');
  });

  it.each(TAIL_FORMATS)('of telemetry as %s never carries control characters, and is one line an item', (format) => {
    const trace = fc.record({
      tenant: text,
      traceId: text,
      name: text,
      service: text,
      startMillis: fc.double({ noNaN: true, min: -1e16, max: 1e16 }),
      durationNanos: fc.double({ noNaN: true, min: 0, max: 1e15 }),
      spans: fc.nat(),
      errors: fc.nat(),
    });
    const log = fc.record({
      tenant: text,
      service: text,
      timeUnixNano: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
      observedTimeUnixNano: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
      severityNumber: fc.integer({ min: 0, max: 24 }),
      severityText: text,
      body: fc.oneof(text, fc.jsonValue()),
      attributes: fc.dictionary(text, fc.oneof(text, fc.jsonValue())),
      traceId: text,
    });
    const update = fc.record({ traces: fc.array(trace), logs: fc.array(log), skipped: fc.nat() });
    fc.assert(
      fc.property(update, (given) => {
        const items = itemsOf(given as LiveUpdate);
        expect(items).toHaveLength(given.traces.length + given.logs.length);
        for (const item of items) expect(formatItem(item, format, terminal)).not.toMatch(UNSAFE);
      }),
    );
  });

  it('as logfmt can be split again at its spaces and quotes', () => {
    const [item] = itemsOf({
      traces: [],
      logs: [
        {
          tenant: 'a b',
          service: 'x="y"',
          timeUnixNano: '1700000000000000000',
          observedTimeUnixNano: '0',
          severityNumber: 17,
          severityText: '',
          body: 'say "hi"\n',
          attributes: { 'k e=y"': 1 },
          traceId: '',
        },
      ],
      skipped: 0,
    });
    if (item === undefined) throw new Error('nothing came of it');
    expect(formatItem(item, 'logfmt', terminal)).toBe(
      'time=2023-11-14T22:13:20.000Z signal=log tenant="a b" service="x=\\"y\\"" text="say \\"hi\\"\\n" level=error attr.k_e_y_=1',
    );
  });

  it('for people is cut where it would fill the screen, and for programs is whole', () => {
    const name = 'x'.repeat(9_000);
    const trace = {
      tenant: 'a',
      traceId: '',
      name,
      service: 's',
      startMillis: 0,
      durationNanos: 1,
      spans: 1,
      errors: 0,
    };
    const [item] = itemsOf({ traces: [trace], logs: [], skipped: 0 });
    if (item === undefined) throw new Error('nothing came of it');
    expect(formatItem(item, 'pretty', terminal)).toMatch(/ x{500}… {2}/);
    for (const format of ['json', 'logfmt', 'md'] as const) expect(formatItem(item, format, terminal)).toContain(name);
  });

  it('shows what is waited for to those who sit there alone', () => {
    const written = (isTTY: boolean, env: Record<string, string>, json = false): string => {
      const text: string[] = [];
      const sink = new Writable({
        write(chunk, _encoding, done) {
          text.push(String(chunk));
          done();
        },
      });
      const stderr = Object.assign(sink, { isTTY });
      const shown = new Terminal({ stdout: process.stdout, stderr, env });
      if (json) shown.useJson();
      shown.progress('asking \u001b[2J');
      shown.progress();
      return text.join('');
    };
    expect(written(true, {})).toBe('\r\u001b[2Kasking \\u{1b}[2J …\r\u001b[2K');
    expect([written(false, {}), written(true, { CI: 'true' }), written(true, {}, true)]).toEqual(['', '', '']);
  });

  it('has colours only for a terminal that wants them', async () => {
    const coloured = async (isTTY: boolean, env: Record<string, string>) =>
      (await isotraceOnce(['config'], { isTTY, env })).stdout.includes('\u001b[');
    expect(await coloured(true, {})).toBe(true);
    expect(await coloured(false, {})).toBe(false);
    expect(await coloured(true, { NO_COLOR: '1' })).toBe(false);
    expect(await coloured(true, { TERM: 'dumb' })).toBe(false);
    expect(await coloured(false, { FORCE_COLOR: '1' })).toBe(true);
  });
});
