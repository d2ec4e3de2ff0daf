import { type ConfigIssue, IsotraceError } from '../utils/errors.ts';
import { sanitizeHeaders } from '../utils/headers.ts';
import { isInstance } from '../utils/is-instance.ts';
import { required } from '../utils/message-fields.ts';
import { callable } from '../utils/option-checks.ts';
import { type Check, IssueLog, OptionReader } from '../utils/option-reader.ts';
import { describeKind, Secret } from '../utils/secret.ts';
import { REDACTED } from '../utils/secret-shapes.ts';
import type { HeaderRecord } from './destination-options.ts';

/** A pair of a key's id and its secret, and how a receiver wants to get them. */
export interface CredentialOptions {
  /** Names the key; not a secret by itself. 1 to 256 visible ASCII characters without spaces. */
  keyId: string;
  /** 1 to 4,096 visible ASCII characters without spaces. */
  keySecret: string;
  /** What a receiver asks of both. Default: nothing, and the headers of {@link CredentialRules}. */
  rules?: CredentialRules | undefined;
}

/** What credentials look like, and which headers carry them. */
export interface CredentialRules {
  /** What a key's id begins with. Default: anything. */
  readonly keyIdPrefix?: string | undefined;
  /** What a secret begins with. Default: anything. */
  readonly keySecretPrefix?: string | undefined;
  /** The headers that carry them. Default: `authorization: Bearer <keyId>:<keySecret>`. */
  readonly headers?: ((keyId: string, keySecret: string) => HeaderRecord) | undefined;
}

/** Credentials, or what is wrong with them. */
export type CredentialResult =
  | { readonly ok: true; readonly credentials: Credentials }
  /** Every problem; secrets are not shown. */
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

export const MAX_ID_LENGTH = 256;
export const MAX_SECRET_LENGTH = 4_096;
const VISIBLE = /^[\x21-\x7e]+$/;
const SHOWN_ID_LENGTH = 8;
const KNOWN: ReadonlySet<string> = new Set(['keyId', 'keySecret', 'rules']);
const KNOWN_RULES: ReadonlySet<string> = new Set(['keyIdPrefix', 'keySecretPrefix', 'headers']);
const PREFIX: Check<string> = {
  accepted: 'a string',
  parse: (value) => (typeof value === 'string' ? value : undefined),
  describe: describeKind,
};
const HEADERS = callable<NonNullable<CredentialRules['headers']>>('a function that returns headers');

/**
 * The credentials of one destination: immutable, checked once, and masked however they are printed, serialised or
 * cloned. For credentials that change while the process runs see {@link CredentialSource}.
 */
export class Credentials {
  readonly #keyId: string;
  readonly #keySecret: Secret;
  readonly #rules: CredentialRules;
  readonly #headers: Secret<HeaderRecord>;

  private constructor(keyId: string, keySecret: string, rules: CredentialRules, headers: HeaderRecord) {
    this.#keyId = keyId;
    this.#keySecret = new Secret(keySecret);
    this.#rules = rules;
    this.#headers = new Secret(headers);
    Object.freeze(this);
  }

  /** Checks a key and its secret by their rules: credentials, or every problem with them. Never throws. */
  static parse(options: CredentialOptions): CredentialResult {
    const log = new IssueLog();
    const reader = OptionReader.open(options ?? {}, '', KNOWN, log);
    const rules = readRules(reader?.open('rules', KNOWN_RULES));
    const id = reader && readPart(reader, 'keyId', MAX_ID_LENGTH, rules.keyIdPrefix);
    const secret = reader && readPart(reader, 'keySecret', MAX_SECRET_LENGTH, rules.keySecretPrefix);
    if (log.count > 0 || id === undefined || secret === undefined) return { ok: false, issues: log.list() };
    const headers = makeHeaders(id, secret, rules, log);
    if (log.count > 0) return { ok: false, issues: log.list() };
    return { ok: true, credentials: new Credentials(id, secret, rules, headers) };
  }

  /**
   * As {@link Credentials.parse}, for keys that have to be good.
   *
   * @throws IsotraceError with code `config_invalid` and every problem in `issues`
   */
  static create(options: CredentialOptions): Credentials {
    const result = Credentials.parse(options);
    if (result.ok) return result.credentials;
    const names = result.issues.map(({ option }) => option).join(', ');
    throw new IsotraceError('config_invalid', `credentials are not acceptable: ${names}`, { issues: result.issues });
  }

  /** Whole, as it was given; it is masked only where the object as such is shown. */
  get keyId(): string {
    return this.#keyId;
  }

  /** The headers that carry the key, by the rules; a new object each time. Not masked: this is what is sent. */
  headers(): HeaderRecord {
    return { ...this.#headers.reveal() };
  }

  /** The same key with another secret, or another key, under the same rules. Never throws. */
  rotated(next: { keyId?: string; keySecret: string }): CredentialResult {
    return Credentials.parse({ keyId: next?.keyId ?? this.#keyId, keySecret: next?.keySecret, rules: this.#rules });
  }

  /** Whether both are the same key with the same secret. */
  equals(other: Credentials): boolean {
    return (
      isInstance(other, Credentials) &&
      this.#keyId === other.#keyId &&
      this.#keySecret.reveal() === other.#keySecret.reveal()
    );
  }

  /** The key's id, masked, and nothing of the secret. */
  toString(): string {
    return `Credentials(${maskId(this.#keyId)}, ${REDACTED})`;
  }

  /** The key's id, masked, and nothing of the secret. */
  toJSON(): { keyId: string; keySecret: string } {
    return { keyId: maskId(this.#keyId), keySecret: REDACTED };
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/**
 * Credentials that can be replaced while spans are on their way: hand `headers` to a destination, which asks it at
 * every attempt. What was sent before a replacement keeps its headers; what is sent again takes the new ones.
 */
export class CredentialSource {
  /** To be given as `destination.headers`: answers the headers of the present credentials at each attempt. */
  readonly headers: () => HeaderRecord;
  #current: Credentials | undefined;

  /** What is no credentials is none: attempts fail with that as their reason, and data waits, until {@link replace}. */
  constructor(credentials: Credentials) {
    this.replace(credentials);
    this.headers = () => {
      if (this.#current === undefined) throw new IsotraceError('hook_failed', 'a CredentialSource has no credentials');
      return this.#current.headers();
    };
  }

  /** Those that the next attempt takes. `undefined` only where the source was made with something else. */
  get current(): Credentials {
    return this.#current as Credentials;
  }

  /**
   * Puts other credentials in place: from the next attempt on, also of requests that were tried before. Answers whether
   * it did; what is no credentials changes nothing.
   */
  replace(credentials: Credentials): boolean {
    if (!isInstance(credentials, Credentials)) return false;
    this.#current = credentials;
    return true;
  }
}

function readRules(reader: OptionReader | undefined): CredentialRules {
  if (reader === undefined) return {};
  return {
    keyIdPrefix: reader.read('keyIdPrefix', PREFIX),
    keySecretPrefix: reader.read('keySecretPrefix', PREFIX),
    headers: reader.read('headers', HEADERS),
  };
}

/** Whether it can stand in a header as an id or a secret. */
export function isKeyPart(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length <= maxLength && VISIBLE.test(value);
}

function readPart(reader: OptionReader, key: string, maxLength: number, prefix: string | undefined) {
  const starts = prefix === undefined ? '' : ` that begin with ${JSON.stringify(prefix)}`;
  return required<string>({
    accepted: `1 to ${maxLength} visible ASCII characters${starts}`,
    parse: (value) => (isKeyPart(value, maxLength) && value.startsWith(prefix ?? '') ? value : undefined),
    describe: describeKind,
  })(reader, key);
}

function makeHeaders(keyId: string, keySecret: string, rules: CredentialRules, log: IssueLog): HeaderRecord {
  if (rules.headers === undefined) return { authorization: `Bearer ${keyId}:${keySecret}` };
  try {
    const sanitized = sanitizeHeaders(rules.headers(keyId, keySecret), 'rules.headers');
    log.addAll(sanitized.issues);
    return sanitized.headers;
  } catch {
    log.add('rules.headers', 'a function that returns headers', 'one that throws');
    return {};
  }
}

function maskId(keyId: string): string {
  return keyId.length > SHOWN_ID_LENGTH ? `${keyId.slice(0, SHOWN_ID_LENGTH)}…` : keyId;
}
