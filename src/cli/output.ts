import pc from 'picocolors';

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
  const draw = (lines: readonly string[]): void => {
    const width = Math.max(20, (stream.columns ?? 120) - 1);
    stream.write(`${lines.map((line) => cut(line, width)).join('\n')}\n`);
    liveLines = lines.length;
  };
  return {
    isTerminal,
    colour,
    line(text = '') {
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
      const widths: number[] = [];
      for (const row of rows) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
      for (const row of rows)
        this.line(
          row
            .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
            .join('   ')
            .trimEnd(),
        );
    },
  };
}

/** Cuts to a visible width; escape sequences take no room. */
export function cut(text: string, width: number): string {
  // oxlint-disable-next-line no-control-regex
  const parts = text.split(/(\u001b\[[0-9;]*m)/);
  let left = width;
  let result = '';
  for (const part of parts) {
    if (part.startsWith('\u001b')) result += part;
    else {
      result += part.slice(0, left);
      left = Math.max(0, left - part.length);
    }
  }
  return result;
}
