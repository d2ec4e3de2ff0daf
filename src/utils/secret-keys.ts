/** A key as its words in lower case with a space around each: `http.xApiKey` is ` http x api key `. */
function wordsOf(key: string): string {
  const words = key
    .normalize('NFKC')
    .replace(/([\p{Ll}\p{N}])(?=\p{Lu})/gu, '$1 ')
    .replace(/(\p{Lu})(?=\p{Lu}\p{Ll})/gu, '$1 ')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ');
  return ` ${words.trim()} `;
}

/** Names of secrets, against the words of a key. */
const SECRET = new RegExp(
  [
    'pass(?:word|wd|phrase|code)s?',
    ' pass (?:word|phrase|code)s? ',
    ' pwd ',
    'secrets? ',
    'secret(?:value|string|text|id) ',
    'credential',
    'authorization (?:(?:header|value|code|key|\\d+) )*$',
    'cookies? ',
    'api ?keys?',
    '(?:private|access|secret|session|signing|encryption|decryption|master|shared|ssh|auth|hmac) ?keys? ',
    '(?:php|j)sess(?:ion)? ?id ',
    ' connect sid ',
    ' (?:x|basic|proxy) ?auth ',
    ' (?:bearer|jwt|cvv|cvc) ',
    ' (?:access|auth|refresh|bearer|id|api|csrf|xsrf|security|device|push) ?tokens ',
  ].join('|'),
  'u',
);

/** `token` is also a unit that language models are measured in, and a mark in lists that go on. */
const TOKEN =
  /(?<! (?:per|first|last|next|max|min|num|total|input|output|prompt|completion|reasoning|cached?|usage|avg|average|eos|bos|pad|unk|mask|stop|special) ?)token (?!(?:counts?|usage|ids|types?|limits?|budget|lengths?|index|costs?|prices?|rates?|bucket|details|prob\w*|logprobs?) )/u;

/** Says something about a secret without being one. */
const ABOUT =
  / (?:name|names|arn|count|counts|type|length|size|ttl|version|algorithm|expires|expiry|expiration|required|present|enabled|valid|policy|status|provider|format) $/;

/**
 * Whether a key names a secret, in any case and spelling: `password`, `client_secret`, `X-Api-Key`, `accessToken`,
 * `http.request.header.authorization`. Counts such as `gen_ai.usage.input_tokens` and facts such as `secret.name` do not.
 */
export function isSecretKey(key: string): boolean {
  const words = wordsOf(key);
  return (SECRET.test(words) || TOKEN.test(words)) && !ABOUT.test(words);
}

/**
 * Finds keys that contain one of the names as whole words, in any case and spelling: `apiKey` is in `x-api-key` and
 * `API_KEY`, but `pin` is not in `shipping`. A name without letters and digits is searched for as it is.
 */
export function createKeyMatcher(names: readonly string[]): (key: string) => boolean {
  const matchers = names.map((name) => {
    const letters = [...wordsOf(name).replaceAll(' ', '')];
    if (letters.length === 0) return (key: string) => key.includes(name);
    // Only letters and digits: nothing in it has a meaning in an expression.
    const pattern = new RegExp(` ${letters.join(' ?')} `, 'u');
    return (_key: string, words: string) => pattern.test(words);
  });
  return (key) => {
    const words = wordsOf(key);
    return matchers.some((matches) => matches(key, words));
  };
}
