const MAX_MILLIS = 600_000;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The three forms of an HTTP-date that a recipient must accept (RFC 9110, section 5.6.7). */
const HTTP_DATES = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  /^[A-Z][a-z]{2}, (?<day>\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  // Sunday, 06-Nov-94 08:49:37 GMT
  /^[A-Z][a-z]{5,8}, (?<day>\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\d{2}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  // Sun Nov  6 08:49:37 1994
  /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/,
];

/**
 * Reads a `Retry-After` header: the wait in milliseconds, at most ten minutes. Zero, negative, past and
 * malformed values are `undefined`, so that a careless server never causes a hot loop.
 */
export function parseRetryAfter(value: string | undefined, nowEpochMillis: number): number | undefined {
  const text = value?.trim();
  if (!text) return undefined;
  const millis = /^\d+$/.test(text) ? Number(text) * 1_000 : parseHttpDate(text, nowEpochMillis) - nowEpochMillis;
  return millis > 0 ? Math.min(millis, MAX_MILLIS) : undefined;
}

/** Milliseconds since the Unix epoch, or NaN. `Date.parse` would take `-5` and most other rubbish for a date. */
function parseHttpDate(text: string, nowEpochMillis: number): number {
  const parts = HTTP_DATES.map((format) => format.exec(text)?.groups).find((groups) => groups !== undefined);
  if (!parts) return Number.NaN;
  const month = MONTHS.indexOf(parts['month'] ?? '');
  const day = Number(parts['day']);
  const [hours = 0, minutes = 0, seconds = 0] = (parts['time'] ?? '').split(':').map(Number);
  const year = fullYear(parts['year'] ?? '', nowEpochMillis);
  const dayExists = new Date(Date.UTC(year, month, day)).getUTCDate() === day;
  if (month < 0 || !dayExists || hours > 23 || minutes > 59 || seconds > 60) return Number.NaN;
  return Date.UTC(year, month, day, hours, minutes, seconds);
}

/** A year of two digits that seems more than 50 years ahead is in the past (RFC 9110, section 5.6.7). */
function fullYear(digits: string, nowEpochMillis: number): number {
  if (digits.length === 4) return Number(digits);
  const thisYear = new Date(nowEpochMillis).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(digits);
  return year > thisYear + 50 ? year - 100 : year;
}
