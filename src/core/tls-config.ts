import { isIP } from 'node:net';
import { types } from 'node:util';
import type { TlsOptions } from '../infra/transport.ts';
import { type Check, OptionReader, REFUSED } from '../utils/option-reader.ts';
import { describeKind, Secret } from '../utils/secret.ts';

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({ ca: true, cert: true, key: true, serverName: true } satisfies Record<keyof TlsOptions, true>),
);

const MAX_PEM_LENGTH = 1_048_576;
const PEM_BEGIN = '-----BEGIN ';
const HOST_NAME = /^[a-z\d](?:[\w.-]{0,251}[a-z\d])?$/i;

const PEM: Check<string | Buffer> = {
  accepted: 'PEM (not the path of a file), as a string or Buffer of up to 1 MiB',
  parse: (value) => {
    if (typeof value === 'string') return isPem(value) ? value : undefined;
    return types.isUint8Array(value) && value.length <= MAX_PEM_LENGTH ? copyPem(value) : undefined;
  },
  describe: describeKind,
};
const SERVER_NAME: Check<string> = {
  accepted: 'a host name',
  parse: (value) => (typeof value === 'string' && HOST_NAME.test(value) && isIP(value) === 0 ? value : undefined),
};

/**
 * The TLS identity of a destination, copied; `undefined` when none is given, `REFUSED` when a part of it is not
 * acceptable: connecting with another identity, or trusting others, is not what was asked for.
 */
export function readTls(reader: OptionReader): Secret<TlsOptions> | typeof REFUSED | undefined {
  const value = reader.getOrRefused('tls');
  if (value === undefined || value === REFUSED) return value;
  const { issues } = reader;
  const { count } = issues;
  const own = OptionReader.open(value, reader.pathOf('tls'), KNOWN, issues);
  if (own === undefined) return REFUSED;
  const ca = own.read('ca', PEM);
  const cert = own.read('cert', PEM);
  const key = own.read('key', PEM);
  const serverName = own.read('serverName', SERVER_NAME);
  if (issues.count === count && (cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? 'cert' : 'key';
    issues.add(own.pathOf(missing), 'both a certificate and its key, or neither', 'undefined');
  }
  // A key that is not known as well: it may be meant for one of these.
  if (issues.count > count) return REFUSED;
  if (ca === undefined && cert === undefined && serverName === undefined) return undefined;
  return new Secret(Object.freeze({ ca, cert, key, serverName }));
}

function isPem(value: string): boolean {
  return value.length <= MAX_PEM_LENGTH && value.includes(PEM_BEGIN);
}

function copyPem(value: Uint8Array): Buffer | undefined {
  const copy = Buffer.from(value);
  return copy.includes(PEM_BEGIN) ? copy : undefined;
}
