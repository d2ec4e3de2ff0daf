/**
 * The first `maxLength` UTF-16 units of a string. A slice in V8 keeps all of the string that it was cut from alive, so
 * of a much longer one the part is copied out.
 */
export function cutString(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const cut = text.slice(0, maxLength);
  return text.length > maxLength * 2 ? Buffer.from(cut, 'utf16le').toString('utf16le') : cut;
}

/** A `bigint` in decimal, of up to 308 digits: a number of a gigabit would take minutes to write out. */
export function printBigInt(value: bigint): string {
  return Number.isFinite(Number(value)) ? value.toString() : '[BigInt]';
}
