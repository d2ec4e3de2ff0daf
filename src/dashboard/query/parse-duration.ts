const NANOS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3_600e9,
};

/** A duration such as `200ms`, `1.5s` or `2m`, in nanoseconds; without a unit it is in milliseconds. */
export function parseDuration(text: string): number | undefined {
  const [, number, unit = 'ms'] = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)?$/.exec(text) ?? [];
  const scale = NANOS_PER_UNIT[unit];
  return number === undefined || scale === undefined ? undefined : Number(number) * scale;
}
