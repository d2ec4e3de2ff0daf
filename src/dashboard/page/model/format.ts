const UNITS: readonly (readonly [nanos: number, unit: string])[] = [
  [3.6e12, 'h'],
  [6e10, 'min'],
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
];

/** Three significant digits: `1.25 s`, `340 µs`. */
export function formatDuration(nanos: number): string {
  for (const [size, unit] of UNITS) if (nanos >= size) return `${threeDigits(nanos / size)} ${unit}`;
  return `${Math.round(nanos)} ns`;
}

export function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat('en');

/** `1.2K` */
export function formatCompact(value: number): string {
  return Math.abs(value) < 1_000 ? threeDigits(value) : compact.format(value);
}

export function formatCount(value: number): string {
  return whole.format(value);
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), 4);
  return `${threeDigits(bytes / 1_024 ** power)} ${'KMGT'[power - 1] ?? ''}iB`;
}

export function formatPercent(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0%';
  const percent = (100 * part) / whole;
  return percent < 0.1 ? '<0.1%' : `${Number(percent.toFixed(percent < 10 ? 1 : 0))}%`;
}

/** Of the page's own time zone, with milliseconds; with the day when it is another. */
export function formatTime(millis: number, now = Date.now()): string {
  const date = new Date(millis);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
  const isToday = new Date(now).toDateString() === date.toDateString();
  return isToday ? time : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

export function formatAgo(millis: number, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - millis) / 1_000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`;
}

/** Costs are small: as many digits as they need. */
export function formatCost(amount: number): string {
  if (amount === 0) return '$0';
  return amount < 0.01 ? `$${Number(amount.toPrecision(2))}` : `$${amount.toFixed(amount < 1 ? 3 : 2)}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
