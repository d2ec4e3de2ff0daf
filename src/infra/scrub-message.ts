const MAX_LENGTH = 512;
/** No more of a remote text is looked at. */
const MAX_INPUT_LENGTH = 4_096;
/** Shorter header values are too ordinary to be masked wherever they occur. */
const MIN_SECRET_LENGTH = 6;
const PUBLIC_HEADERS = new Set(['accept', 'content-encoding', 'content-type', 'user-agent']);
const CONTROLS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/**
 * Makes a remote or system error text safe to log and to show: one line of at most 512 characters in
 * which the values of `headers`, `Bearer` and `Basic` credentials and a URL's user and password are masked.
 */
export function scrubMessage(text: string, headers: Readonly<Record<string, string>> = {}): string {
  if (text === '') return '';
  let clean = bounded(text).replace(CONTROLS, ' ');
  for (const secret of secretsOf(headers)) clean = clean.replaceAll(secret, '[redacted]');
  clean = clean
    .replace(/\b(bearer|basic)\s+[^\s"',;]+/gi, '$1 [redacted]')
    .replace(/\/\/[^\s/@]{1,256}@/g, '//[redacted]@')
    .trim();
  return clean.length > MAX_LENGTH ? `${clean.slice(0, MAX_LENGTH - 1)}…` : clean;
}

/** Cuts at a space, so that no half of a secret is left which would not be recognised. */
function bounded(text: string): string {
  if (text.length <= MAX_INPUT_LENGTH) return text;
  return text.slice(0, Math.max(text.lastIndexOf(' ', MAX_INPUT_LENGTH), 0));
}

function secretsOf(headers: Readonly<Record<string, string>>): string[] {
  const secrets = new Set<string>();
  for (const [name, value] of Object.entries(headers)) {
    if (PUBLIC_HEADERS.has(name.toLowerCase())) continue;
    for (const part of [value, ...value.split(/\s+/)]) {
      if (part.length >= MIN_SECRET_LENGTH) secrets.add(part);
    }
  }
  return [...secrets].sort((a, b) => b.length - a.length);
}
