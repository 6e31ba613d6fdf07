import { defaultLimits, inMiB, type ManifestLimits } from './limits.ts';

/** Why the content of a file is no text that manifests could stand in. */
export interface NoText {
  readonly line: number;
  readonly reason: string;
  readonly hint: string;
  /** Whether a manifest may be meant all the same: then it is an error, and otherwise somebody's data. */
  readonly isMeant: boolean;
  /** What of it can be guessed: an object that is named in it may have moved there. */
  readonly guess: string;
}

const saveAsUtf8 = 'save it as UTF-8';
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a file, or why it has none. Text that is decoded already is looked at for NULs and its size only. */
export function textIn(content: Uint8Array | string, limits = defaultLimits): string | NoText {
  if (content.length > limits.fileBytes) return tooLarge(limits, content.length);
  if (typeof content === 'string') return content.includes('\0') ? withNuls(content, lineOf(content)) : content;
  const wide = utf16In(content);
  if (wide) return wide;
  try {
    const text = utf8.decode(content);
    return text.includes('\0') ? withNuls(text, lineOf(text)) : text;
  } catch {
    const loose = new TextDecoder('latin1').decode(content);
    if (loose.startsWith('age-encryption.org/'))
      return { line: 1, reason: 'is encrypted with age', hint: 'commit it decrypted', isMeant: true, guess: '' };
    if (content.includes(0)) return withNuls(loose, lineOf(loose));
    const isMeant = /\bapiVersion\b/.test(loose);
    const line = firstWrongLine(content);
    return { line, reason: 'is not UTF-8 (Latin-1?)', hint: saveAsUtf8, isMeant, guess: guessed(loose) };
  }
}

/** Of a file that is not read; `bytes` undefined: a Git server left it out. */
export function tooLarge({ fileBytes }: ManifestLimits, bytes?: number): NoText {
  const size = bytes === undefined ? '' : `${inMiB(bytes)}, `;
  return {
    line: 1,
    reason: `is too large to be read (${size}more than the ${inMiB(fileBytes)} of --max-file-size)`,
    hint: 'divide it, name it in .serinignore, or raise --max-file-size',
    isMeant: true,
    guess: '',
  };
}

function withNuls(text: string, line: number): NoText {
  if (text.startsWith('\0GITCRYPT'))
    return { line: 1, reason: 'is encrypted with git-crypt', hint: 'commit it decrypted', isMeant: true, guess: '' };
  const guess = guessed(text.replaceAll('\0', ''));
  const isMeant = guess !== '';
  const reason = isMeant ? 'is not UTF-8 (it holds NULs: UTF-16?)' : 'is no text (it holds NULs)';
  return { line, reason, hint: isMeant ? saveAsUtf8 : 'name it in .serinignore', isMeant, guess };
}

function utf16In(bytes: Uint8Array): NoText | undefined {
  const [first, second] = bytes;
  if (!(first === 0xff && second === 0xfe) && !(first === 0xfe && second === 0xff)) return undefined;
  const guess = guessed(new TextDecoder(first === 0xff ? 'utf-16le' : 'utf-16be').decode(bytes));
  return { line: 1, reason: 'is UTF-16, not UTF-8', hint: saveAsUtf8, isMeant: guess !== '', guess };
}

/** Only what looks like manifests. */
const guessed = (text: string): string => (/\bapiVersion\b/.test(text) ? text : '');

const lineOf = (text: string): number => text.slice(0, text.indexOf('\0')).split('\n').length;

/** Line by line: a byte of a line end is never part of another character. */
function firstWrongLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line += 1) {
    const end = bytes.indexOf(10, start);
    try {
      utf8.decode(bytes.subarray(start, end < 0 ? bytes.length : end));
    } catch {
      return line;
    }
    if (end < 0) break;
    start = end + 1;
  }
  return line;
}
