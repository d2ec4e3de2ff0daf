const MAX_LENGTH = 128;

/**
 * What cannot be printed, or would make two ids look alike in a log: control (Cc) and format (Cf) characters such as
 * bidirectional overrides, line and paragraph separators (Zl, Zp) and lone surrogates (Cs). The two joiners stay: some
 * scripts and emoji are written with them.
 */
const UNPRINTABLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/**
 * Whether a value can name a tenant: a string of 1 to 128 UTF-16 units, all of them printable. Ids are compared unit
 * by unit: case, spaces and Unicode normalisation forms make different tenants.
 */
export function isTenantId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_LENGTH && !UNPRINTABLE.test(value);
}
