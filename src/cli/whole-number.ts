import { InvalidArgumentError } from 'commander';

/** Reads an option that is a whole number from `min` to `max`; any other text is wrong usage, told in these words. */
export function wholeNumber(min: number, max: number, words: string): (text: string) => number {
  const digits = String(max).length;
  return (text) => {
    const value = text.length <= digits && /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(words);
  };
}
