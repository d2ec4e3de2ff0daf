/**
 * Whether `text` matches `glob`, in which `*` stands for any characters and `?` for one. Takes time in proportion to
 * both lengths multiplied at most, unlike an expression.
 */
export function matchesGlob(glob: string, text: string): boolean {
  let position = 0;
  let star = -1;
  let afterStar = 0;
  let index = 0;
  while (index < text.length) {
    const wanted = glob[position];
    if (wanted === '*') {
      star = position;
      afterStar = index;
      position += 1;
    } else if (wanted === '?' || wanted === text[index]) {
      position += 1;
      index += 1;
    } else if (star >= 0) {
      // The star takes one more.
      position = star + 1;
      afterStar += 1;
      index = afterStar;
    } else return false;
  }
  while (glob[position] === '*') position += 1;
  return position === glob.length;
}
