import pc from 'picocolors';
import { plainText } from '../lib/plain-text.ts';

/** The only writer to standard output. A terminal gets colour and alignment, a pipe plain lines. */
export interface Output {
  readonly isTerminal: boolean;
  readonly colour: ReturnType<typeof pc.createColors>;
  line(text?: string): void;
  /** Replaces the block printed by the last `live` call on a terminal; prints nothing on a pipe. */
  live(lines: readonly string[]): void;
  /** Keeps the last live block where it is. */
  endLive(): void;
  table(rows: readonly (readonly string[])[]): void;
  /** The lines of a table. */
  aligned(rows: readonly (readonly string[])[]): readonly string[];
}

export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export function createOutput(stream: OutputStream, environment: Readonly<Record<string, string | undefined>>): Output {
  const isTerminal = stream.isTTY === true && environment['TERM'] !== 'dumb';
  const colour = pc.createColors(isTerminal && environment['NO_COLOR'] === undefined);
  let liveLines = 0;
  const clear = (): void => {
    if (liveLines > 0) stream.write(`\u001b[${liveLines}A\u001b[0J`);
    liveLines = 0;
  };
  let kept: readonly string[] = [];
  const plain = (text: string): string =>
    text
      .split(sequences)
      .map((part) => (isSequence(part) ? part : plainText(part)))
      .join('');
  const draw = (lines: readonly string[]): void => {
    // A terminal without a window says 0: `script`, `docker run -t`, a build's log.
    const width = Math.max(20, (stream.columns || 120) - 1);
    stream.write(`${lines.map((line) => cut(plain(line), width)).join('\n')}\n`);
    liveLines = lines.length;
  };
  return {
    isTerminal,
    colour,
    line(said = '') {
      const text = plain(said);
      if (!isTerminal) {
        stream.write(`${text}\n`);
        return;
      }
      clear();
      stream.write(`${text}\n`);
      if (kept.length > 0) draw(kept);
    },
    live(lines) {
      if (!isTerminal) return;
      clear();
      kept = lines;
      if (lines.length > 0) draw(lines);
    },
    endLive() {
      kept = [];
      liveLines = 0;
    },
    table(rows) {
      for (const line of this.aligned(rows)) this.line(line);
    },
    aligned(rows) {
      const widths: number[] = [];
      for (const row of rows)
        row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, visibleLength(cell))));
      return rows.map((row) =>
        row
          .map((cell, index) => (index === row.length - 1 ? cell : padded(cell, widths[index] ?? 0)))
          .join('   ')
          .trimEnd(),
      );
    },
  };
}

// oxlint-disable-next-line no-control-regex
const sequences = /(\u001b\[[0-9;]*m)/;
const isSequence = (part: string): boolean => part.startsWith('\u001b');

function visibleLength(text: string): number {
  return text.split(sequences).reduce((sum, part) => sum + (isSequence(part) ? 0 : Array.from(part).length), 0);
}

const padded = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - visibleLength(text)));

/** Cuts to a visible width; escape sequences take no room. */
export function cut(text: string, width: number): string {
  let left = width;
  let result = '';
  for (const part of text.split(sequences)) {
    const characters = isSequence(part) ? [] : Array.from(part).slice(0, left);
    result += isSequence(part) ? part : characters.join('');
    left -= characters.length;
  }
  return result;
}
