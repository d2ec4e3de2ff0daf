import { gzipSync } from 'node:zlib';

/** A raw HTTP request, or what pretends to be one. */
export interface MalformedRequest {
  readonly kind: string;
  readonly bytes: Buffer;
}

export type RandomNumber = () => number;

const HOST = 'Host: localhost\r\n';
const PROTOBUF = 'Content-Type: application/x-protobuf\r\n';
const JSON_TYPE = 'Content-Type: application/json\r\n';
const SIGNALS = ['traces', 'metrics', 'logs'];
const API = ['traces', 'logs', 'metrics', 'metrics/query', 'red', 'errors', 'facets', 'services', 'live', 'slos', 'x'];
const PARAMETERS = ['query', 'start', 'end', 'limit', 'tenant', 'step', 'by', 'field', 'name', 'cursor', '__proto__'];
const VALUES = [
  '',
  '%',
  '%00',
  '-1',
  '1e999',
  '\'"',
  'a:'.repeat(50),
  'dur>',
  '(((',
  '*'.repeat(200),
  '%f0%9f',
  '-99999d',
];
const HEADERS = [
  ...['Content-Length: -1', 'Content-Length: 5, 6', 'Transfer-Encoding: chunked, identity', 'Content-Encoding: br'],
  ...[
    'Expect: 100-continue',
    'Upgrade: websocket\r\nConnection: Upgrade',
    'Cookie: isotrace_token=%',
    'Range: bytes=0-1',
  ],
  ...[
    'Authorization: Bearer \u0000',
    `X-Long: ${'x'.repeat(20_000)}`,
    'Host: evil.test',
    'Origin: null',
    ': empty',
    'no colon',
  ],
  ...['Last-Event-ID: %0d%0a', 'Content-Length: 99999999999', 'Transfer-Encoding: chunked', 'X-Tab:\ta\u000b'],
];
const TRAVERSALS = [
  '/..%2f..%2fetc/passwd',
  '//',
  '/%',
  '*',
  'http://evil.test/',
  '/api/v1/%2e%2e/x',
  '/api/v1/traces/%00',
];

/** One of many kinds of request that a receiver of OTLP must survive; `valid` is a request in protobuf to spoil. */
export function makeMalformedRequest(random: RandomNumber, valid: Buffer): MalformedRequest {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const kinds: Record<string, () => Buffer> = {
    'no HTTP': () => randomBytes(random, 1 + Math.floor(random() * 300)),
    'spoilt protobuf': () => post(pick(SIGNALS), PROTOBUF, spoil(random, valid)),
    'random protobuf': () => post(pick(SIGNALS), PROTOBUF, randomBytes(random, Math.floor(random() * 500))),
    'cut protobuf': () => post(pick(SIGNALS), PROTOBUF, valid.subarray(0, Math.floor(random() * valid.length))),
    'spoilt JSON': () => post(pick(SIGNALS), JSON_TYPE, Buffer.from(makeJson(random))),
    'no gzip': () => post('traces', `${PROTOBUF}Content-Encoding: gzip\r\n`, randomBytes(random, 100)),
    'cut gzip': () =>
      post('traces', `${PROTOBUF}Content-Encoding: gzip\r\n`, spoil(random, gzipSync(valid, { level: 1 }))),
    'odd header': () => post('traces', `${PROTOBUF}${pick(HEADERS)}\r\n`, valid),
    'odd question': () =>
      get(`/api/v1/${pick(API)}?${pick(PARAMETERS)}=${pick(VALUES)}&${pick(PARAMETERS)}=${pick(VALUES)}`),
    'odd path': () => get(pick(TRAVERSALS)),
    'odd method': () =>
      Buffer.from(`${pick(['PUT', 'TRACE', 'FOO', 'CONNECT', 'PRI'])} /v1/traces HTTP/1.1\r\n${HOST}\r\n`),
    'ends early': () => Buffer.from(`POST /v1/traces HTTP/1.1\r\n${HOST}${PROTOBUF}Content-Length: 1000\r\n\r\nshort`),
  };
  const kind = pick(Object.keys(kinds));
  return { kind, bytes: (kinds[kind] as () => Buffer)() };
}

function get(target: string): Buffer {
  return Buffer.from(`GET ${target} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
}

function post(signal: string, headers: string, body: Buffer): Buffer {
  const length = /content-length|transfer-encoding/i.test(headers) ? '' : `Content-Length: ${body.length}\r\n`;
  const head = `POST /v1/${signal} HTTP/1.1\r\n${HOST}${headers}${length}Connection: close\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function randomBytes(random: RandomNumber, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
}

/** Some bytes changed, others taken out or put in. */
function spoil(random: RandomNumber, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let change = 0; change < 4; change += 1) copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
  const at = Math.floor(random() * copy.length);
  return Buffer.concat([copy.subarray(0, at), randomBytes(random, 3), copy.subarray(at + Math.floor(random() * 4))]);
}

function makeJson(random: RandomNumber): string {
  const leaves = [
    'null',
    '[]',
    '{}',
    '"x"',
    '1e999',
    '-0',
    'true',
    '{"__proto__":{"x":1}}',
    '"\\ud800"',
    '['.repeat(500),
  ];
  const leaf = (): string => leaves[Math.floor(random() * leaves.length)] as string;
  const key = ['resourceSpans', 'scopeSpans', 'spans', 'attributes', 'resource', 'traceId'][Math.floor(random() * 6)];
  const texts = [
    `{"resourceSpans":${leaf()}}`,
    `{"resourceSpans":[{"${key}":${leaf()}}]}`,
    `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":${leaf()},"${key}":${leaf()}}]}]}]}`,
    `{"resourceSpans":[{"resource":{"attributes":[{"key":${leaf()},"value":${leaf()}}]}}]`,
    `${'{"kvlistValue":'.repeat(Math.floor(random() * 300))}${leaf()}`,
    leaf(),
  ];
  return texts[Math.floor(random() * texts.length)] as string;
}
