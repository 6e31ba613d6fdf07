/*
 * Files of a repository need not be UTF-8: a Latin-1 letter in somebody's comment must come out of an edit of another document as it went
 * in. Bytes that are no UTF-8 become lone surrogates, which no UTF-8 gives, and those become the bytes again.
 */

const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });
const first = 0xdc00;

/** A text that `fileBytes` gives the same bytes for. */
export function exactText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decoded(bytes);
  }
}

/** The bytes of a text of `exactText`; a text without such bytes as it is. */
export function fileBytes(text: string): Uint8Array | string {
  // With the flag, halves of a pair are no lone surrogates.
  if (!/[\udc80-\udcff]/u.test(text)) return text;
  const pieces = text.split(/([\udc80-\udcff])/u);
  return Buffer.concat(
    pieces.map((piece, at) => (at % 2 === 1 ? Buffer.of(piece.charCodeAt(0) - first) : Buffer.from(piece, 'utf8'))),
  );
}

/** As every other reader sees the file: the bytes are replacement characters. */
export function shownText(text: string): string {
  const bytes = fileBytes(text);
  return typeof bytes === 'string' ? bytes : lenient.decode(bytes);
}

function decoded(bytes: Uint8Array): string {
  const pieces: string[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceAt(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    pieces.push(lenient.decode(bytes.subarray(start, at)), String.fromCharCode(first + (bytes[at] ?? 0)));
    at += 1;
    start = at;
  }
  pieces.push(lenient.decode(bytes.subarray(start)));
  return pieces.join('');
}

/** The length of the UTF-8 sequence that begins here; 0 where none does. */
function sequenceAt(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > bytes.length) return 0;
  const [low, high] = secondOf(lead);
  for (let next = 1; next < length; next += 1) {
    const byte = bytes[at + next] ?? 0;
    if (byte < (next === 1 ? low : 0x80) || byte > (next === 1 ? high : 0xbf)) return 0;
  }
  return length;
}

/** What may follow a first byte: no overlong forms, no surrogates, nothing beyond Unicode. */
function secondOf(lead: number): readonly [number, number] {
  if (lead === 0xe0) return [0xa0, 0xbf];
  if (lead === 0xed) return [0x80, 0x9f];
  if (lead === 0xf0) return [0x90, 0xbf];
  return lead === 0xf4 ? [0x80, 0x8f] : [0x80, 0xbf];
}
