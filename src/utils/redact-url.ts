import { isSecretKey } from './secret-keys.ts';

/** A longer text is cut, so that redaction takes no time to speak of. */
const MAX_URL_LENGTH = 8_192;
/** Of a query with more parameters the others are left out. */
const MAX_PARAMETERS = 128;
/** Keys whose values the HTTP semantic conventions ask to redact; they are case-sensitive. */
const REDACTED_KEYS: ReadonlySet<string> = new Set(['AWSAccessKeyId', 'Signature', 'sig', 'X-Goog-Signature']);

/**
 * A URL for `url.full` (HTTP semantic conventions): user name and password are `REDACTED`, and so are the values of
 * secrets in its query. The fragment, which is not sent either, is left out; 8,192 characters at most.
 */
export function redactUrl(url: URL): string {
  const hasUser = url.username !== '' || url.password !== '';
  const userinfo = hasUser ? `REDACTED${url.password === '' ? '' : ':REDACTED'}@` : '';
  const query = url.search === '' ? '' : `?${redactQuery(url.search.slice(1, MAX_URL_LENGTH))}`;
  return `${url.protocol}//${userinfo}${url.host}${url.pathname}${query}`.slice(0, MAX_URL_LENGTH);
}

/** The query with the values of secrets replaced by `REDACTED`, and everything else as it was. */
export function redactQuery(query: string): string {
  if (!query.includes('=')) return query;
  return query
    .split('&', MAX_PARAMETERS)
    .map((pair) => {
      const equals = pair.indexOf('=');
      return equals >= 0 && isSensitive(pair.slice(0, equals)) ? `${pair.slice(0, equals)}=REDACTED` : pair;
    })
    .join('&');
}

function isSensitive(encoded: string): boolean {
  let key = encoded;
  try {
    key = decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    // As it was sent.
  }
  return REDACTED_KEYS.has(key) || isSecretKey(key);
}
