/** Stands where a secret was. */
export const REDACTED = '[REDACTED]';

/** A longer text is hidden as a whole instead of being searched. */
const MAX_TEXT_LENGTH = 1_048_576;

/** Where a token may begin: not inside a word, but right after `%20` or the `\n` of a JSON text. */
const START = String.raw`(?:(?<![A-Za-z0-9])|(?<=%[\dA-Fa-f]{2}|\\[nrt]))`;

/**
 * JSON Web Tokens, signed or encrypted, also without their end. What has no dot is none, but is matched all the same:
 * if the dot were required, a long text that begins like a token again and again would be searched to its end each time.
 */
const WEB_TOKEN = new RegExp(String.raw`${START}eyJ[\w-]{13,}(?:\.[\w-]*){0,4}`, 'g');

/** Tokens that their first characters give away. */
const TOKENS = new RegExp(
  `${START}(?:${[
    // Amazon Web Services.
    'A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![A-Za-z0-9])',
    // GitHub, GitLab.
    String.raw`gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}`,
    // Slack.
    String.raw`xox[a-z][-.][\w.-]{12,}|xapp-[\w-]{12,}`,
    // Stripe.
    '[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}',
    // OpenAI, Anthropic and others with `sk-`; with a digit, as class names in CSS begin like it.
    String.raw`sk-(?=[A-Za-z_-]{0,64}\d)[\w-]{16,}`,
    // Google.
    String.raw`AIza[\w-]{30,}|ya29\.[\w.-]{20,}|GOCSPX-[\w-]{20,}`,
    // npm, PyPI, Hugging Face, DigitalOcean, SendGrid, Shopify.
    String.raw`npm_[A-Za-z0-9]{30,}|pypi-[\w-]{40,}|hf_[A-Za-z0-9]{30,}|do[opr]_v1_[a-f0-9]{40,}`,
    String.raw`SG\.[\w-]{16,}\.[\w-]{16,}|shp(?:at|ss|ca|pa)_[A-Fa-f0-9]{32}`,
  ].join('|')})`,
  'g',
);

/** Up to its end or, where that was cut off, to the end of the text. */
const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g;

/**
 * User and password of a URL, up to the last "@" before the path. A password may also hold "/", "?" and "#" where
 * somebody forgot to encode it: then what follows the first ":" is no port.
 */
const USERINFO = /:\/\/(?:[^\s/?#"'<>]*@|[^\s/@:[?#"'<>]*:(?!\/|\d{1,5}(?:[\s/?#"'<>]|$))[^\s"'<>]{0,128}@)/g;

const AUTHORIZATION = /\b(bearer|basic)(\s{1,8}|%20)([\w+/=~.-]{4,})/gi;
/** What follows "bearer" in a sentence or a challenge. */
const PLAIN_WORD = /^(?:[A-Za-z][a-z]{0,8}|[Aa]uth[a-z]+|[Cc]redentials?)[=.:,]*$/;

const SECRET_NAME = `(?:${[
  'pass(?:word|wd|phrase|code)|pwd|secret|token|credentials?|signature|(?<![a-z])sig',
  '(?:api|access|private|secret|account|shared|session|signing|encryption|auth)[-_]?key(?:[-_]?id)?',
].join('|')})`;
/** `password=…` of queries, forms and connection strings. */
const ASSIGNMENT = new RegExp(String.raw`(${SECRET_NAME}=)(?!=)(?:\\?"[^"]*|'[^']*|[^\s&;,"'<>]+)`, 'gi');
/** `"password": "…"` of JSON and its like, also inside a string of JSON. */
const MEMBER = new RegExp(
  String.raw`(${SECRET_NAME}\\?["']\s{0,4}:\s{0,4})(?:(\\")(?:[^"\\]|\\[^"])*|(")(?:[^"\\]|\\[\s\S])*|(')(?:[^'\\]|\\[\s\S])*|[^\s"',{}[\]\\]+)`,
  'gi',
);

const DIGITS = /(?<![\w.])\d(?:[ -]?\d){12,}(?!\w|\.\d)/g;
/** First digits and lengths of Visa, Mastercard, American Express, Diners, Discover, JCB and UnionPay. */
const CARD =
  /^(?:4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17})$/;
const MIN_CARD_LENGTH = 14;
const MAX_CARD_LENGTH = 19;

/** What a text must hold for a shape to be looked for; found in one pass, as most texts hold none of it. */
const TOKEN_MARK = 1;
const USERINFO_MARK = 2;
const AUTHORIZATION_MARK = 4;
const ASSIGNMENT_MARK = 8;
const MEMBER_MARK = 16;
const DIGITS_MARK = 32;
const MIN_TOKEN_LENGTH = 16;
const MIN_DIGITS = 13;

const HYPHEN_CODE = 0x2d;
const SPACE_CODE = 0x20;

const LETTER = 1;
const DIGIT = 2;
const HYPHEN = 3;
const SPACE = 4;
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (/[A-Za-z_]/.test(character)) return LETTER;
  if (/\d/.test(character)) return DIGIT;
  if (character === '-') return HYPHEN;
  return /[\s%]/.test(character) ? SPACE : 0;
});
/** Marks that a character alone sets. */
const MARKS = Uint8Array.from({ length: 128 }, (_, code) => {
  return (
    { '@': USERINFO_MARK, '=': ASSIGNMENT_MARK, '"': MEMBER_MARK, "'": MEMBER_MARK }[String.fromCharCode(code)] ?? 0
  );
});

/**
 * Replaces what has the shape of a credential: vendors' tokens, JSON Web Tokens, private keys, `Bearer` and `Basic`
 * credentials, user and password in URLs, `password=…` and `"password": "…"`, card numbers. Text around it stays.
 * Takes time in proportion to the length; a text of more than a mebibyte is replaced as a whole.
 */
export function maskSecretShapes(text: string, replacement = REDACTED): string {
  if (text.length > MAX_TEXT_LENGTH) return replacement;
  const marks = findMarks(text);
  if (marks === 0) return text;
  // Always through functions: in a replacement text `$&` would bring the secret back.
  let masked = text;
  if (marks & TOKEN_MARK) masked = masked.replace(PRIVATE_KEY, () => replacement);
  if (marks & USERINFO_MARK) masked = masked.replace(USERINFO, () => `://${replacement}@`);
  if (marks & ASSIGNMENT_MARK) masked = masked.replace(ASSIGNMENT, (_, name: string) => `${name}${replacement}`);
  if (marks & MEMBER_MARK) {
    masked = masked.replace(MEMBER, (_, name: string, ...quotes: (string | undefined)[]) => {
      return `${name}${quotes[0] ?? quotes[1] ?? quotes[2] ?? ''}${replacement}`;
    });
  }
  if (marks & AUTHORIZATION_MARK) {
    masked = masked.replace(AUTHORIZATION, (whole: string, scheme: string, space: string, value: string) => {
      return isCredential(scheme, value) ? `${scheme}${space}${replacement}` : whole;
    });
  }
  if (marks & TOKEN_MARK) {
    masked = masked
      .replace(WEB_TOKEN, (token) => (token.includes('.') ? replacement : token))
      .replace(TOKENS, () => replacement);
  }
  if (marks & DIGITS_MARK) masked = masked.replace(DIGITS, (digits) => maskCards(digits, replacement));
  return masked;
}

/** Whether a number can be that of a payment card. */
export function isCardNumber(value: number): boolean {
  return value >= 1e13 && Number.isSafeInteger(value) && isCard(String(value));
}

function findMarks(text: string): number {
  let marks = 0;
  let run = 0;
  let digits = 0;
  let previous = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    // Beyond ASCII there are spaces too, and nothing else that matters.
    const kind = code < 128 ? KINDS[code] : SPACE;
    if (kind === LETTER) {
      run += 1;
      digits = 0;
    } else if (kind === DIGIT) {
      run += 1;
      digits += 1;
      if (digits === MIN_DIGITS) marks |= DIGITS_MARK;
    } else if (kind === HYPHEN) {
      // Two of them may begin a private key.
      run = previous === HYPHEN_CODE ? MIN_TOKEN_LENGTH : run + 1;
    } else {
      if (run >= MIN_TOKEN_LENGTH) marks |= TOKEN_MARK;
      run = 0;
      if (code !== SPACE_CODE) digits = 0;
      if (kind === SPACE) {
        if (endsScheme(previous)) marks |= AUTHORIZATION_MARK;
      } else marks |= MARKS[code] ?? 0;
    }
    previous = code;
  }
  return run >= MIN_TOKEN_LENGTH ? marks | TOKEN_MARK : marks;
}

/** The last letter of "bearer" or "basic". */
function endsScheme(code: number): boolean {
  return (code | 0x20) === 0x72 || (code | 0x20) === 0x63;
}

function isCredential(scheme: string, value: string): boolean {
  if (scheme.toLowerCase() === 'bearer') return !PLAIN_WORD.test(value);
  const decoded = Buffer.from(value, 'base64').toString();
  return decoded.includes(':') && !/[\p{Cc}\ufffd]/u.test(decoded);
}

/** Groups of digits may have others before and after them: a card may begin and end at the border of any group. */
function maskCards(text: string, replacement: string): string {
  const groups = [...text.matchAll(/\d+/g)].map(({ 0: digits, index }) => ({ digits, start: index }));
  let masked = '';
  let end = 0;
  for (let first = 0; first < groups.length; first += 1) {
    let digits = '';
    for (let last = first; last < groups.length && digits.length < MAX_CARD_LENGTH; last += 1) {
      const group = groups[last];
      if (group === undefined) break;
      digits += group.digits;
      if (!isCard(digits)) continue;
      masked += `${text.slice(end, groups[first]?.start)}${replacement}`;
      end = group.start + group.digits.length;
      first = last;
      break;
    }
  }
  return end === 0 ? text : `${masked}${text.slice(end)}`;
}

function isCard(digits: string): boolean {
  if (digits.length < MIN_CARD_LENGTH || digits.length > MAX_CARD_LENGTH || !CARD.test(digits)) return false;
  // The Luhn checksum.
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 0x30;
    const doubled = digit * 2;
    sum += index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
