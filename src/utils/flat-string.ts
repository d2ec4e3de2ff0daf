/** The same text in one piece: one that was joined from parts is a tree of them until a character of it is read. */
export function flatString(text: string): string {
  // The result is used, so that no compiler leaves the reading out.
  return Number.isNaN(text.charCodeAt(0)) ? '' : text;
}
