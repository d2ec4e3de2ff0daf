/** UCUM units by the words that Prometheus uses; others are kept as they are, as far as they can stand in a name. */
const UNITS: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tebibytes',
  KBy: 'kilobytes',
  kBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '%': 'percent',
};
const PER: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  min: 'minute',
  h: 'hour',
  d: 'day',
  wk: 'week',
  mo: 'month',
  y: 'year',
};

/** The unit as a word of a metric's name; empty where it has none, as for `1` and `{request}`. */
export function unitName(unit: string): string {
  const [amount = '', per] = unit.replaceAll(/\{[^}]*\}/g, '').split('/', 2);
  if (amount === '1' && per === undefined) return '';
  const counted = amount === '1' ? '' : (UNITS[amount] ?? wordOf(amount));
  if (per === undefined || per === '') return counted;
  const time = PER[per] ?? wordOf(per);
  return counted === '' ? `per_${time}` : `${counted}_per_${time}`;
}

/** The name of a metric's family, without `_total` (OpenTelemetry specification, "Prometheus", metric metadata). */
export function prometheusName(name: string, unit: string, type: 'counter' | 'gauge' | 'histogram'): string {
  const plain = wordOf(name);
  let base = type === 'counter' ? plain.replace(/_total$/, '') : plain;
  const suffix = unit === '1' && type === 'gauge' ? 'ratio' : unitName(unit);
  if (suffix !== '' && base !== suffix && !base.endsWith(`_${suffix}`)) base = `${base}_${suffix}`;
  return /^\d/.test(base) ? `_${base}` : base;
}

export function prometheusLabelName(key: string): string {
  const name = key.replaceAll(/\W/g, '_').replaceAll(/__+/g, '_');
  return /^\d/.test(name) || name === '' ? `key_${name}` : name;
}

export function escapeLabel(text: string): string {
  return text.replaceAll(/[\\"\n]/g, escaped).replaceAll(/\p{Surrogate}/gu, '\ufffd');
}

export function escapeHelp(text: string, openMetrics: boolean): string {
  const shown = text.replaceAll(/\p{Surrogate}/gu, '\ufffd');
  return openMetrics ? shown.replaceAll(/[\\"\n]/g, escaped) : shown.replaceAll(/[\\\n]/g, escaped);
}

function escaped(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}

function wordOf(text: string): string {
  return text
    .replaceAll(/[^a-zA-Z0-9_:]+/g, '_')
    .replaceAll(/__+/g, '_')
    .replaceAll(/^_|_$/g, '');
}
