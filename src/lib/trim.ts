/** A text without what stands at its end; `trailing` holds the characters. In linear time, which a regular expression for it is not. */
export function withoutTrailing(text: string, trailing: string): string {
  let end = text.length;
  while (end > 0 && trailing.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}
