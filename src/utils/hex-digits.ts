/** Value of each hex digit, in either case, by char code; 0xff for everything else. */
export const HEX_DIGITS: Uint8Array = new Uint8Array(128).fill(0xff);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  HEX_DIGITS[digit.charCodeAt(0)] = value;
  HEX_DIGITS[digit.toUpperCase().charCodeAt(0)] = value;
}
