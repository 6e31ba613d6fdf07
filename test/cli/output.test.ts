import { describe, expect, it } from 'vitest';
import { createOutput, cut, type Output } from '../../src/cli/output.ts';

const bold = (text: string): string => `\u001b[1m${text}\u001b[22m`;

/** A terminal: what it shows in the end. Understands the two sequences that are used, cursor up and clear below. */
function aTerminal(columns = 80, environment: Record<string, string> = {}) {
  let written = '';
  const stream = { isTTY: true, columns, write: (text: string) => (written += text) };
  const screen = (): string[] => {
    const rows = [''];
    let row = 0;
    // oxlint-disable-next-line no-control-regex
    for (const part of written.split(/(\u001b\[\d+[AJ]|\n)/)) {
      // oxlint-disable-next-line no-control-regex
      const up = /^\u001b\[(\d+)A$/.exec(part);
      if (part === '\n') {
        row += 1;
        rows[row] ??= '';
      } else if (up) row -= Number(up[1]);
      else if (part === '\u001b[0J') rows.splice(row, rows.length, '');
      else rows[row] = (rows[row] ?? '') + part;
    }
    return rows.slice(0, -1);
  };
  return { output: createOutput(stream, environment), screen, raw: () => written };
}

function aPipe(environment: Record<string, string> = {}): { output: Output; text: () => string } {
  let written = '';
  return { output: createOutput({ write: (text) => (written += text) }, environment), text: () => written };
}

describe('output on a terminal', () => {
  it('replaces the live block in place, and keeps lines above it', () => {
    const { output, screen } = aTerminal();
    output.line('start');
    output.live(['weight 0', 'waiting']);
    output.live(['weight 20', 'waiting']);
    output.line('a step was made');
    expect(screen()).toEqual(['start', 'a step was made', 'weight 20', 'waiting']);
    output.live(['weight 40']);
    expect(screen()).toEqual(['start', 'a step was made', 'weight 40']);
  });

  it('cuts the live block to the width that a terminal has, and leaves it whole where the terminal tells none', () => {
    const said = 'waits for the outcome of the release in Git';
    const shown = (columns: number): string[] => {
      const { output, screen } = aTerminal(columns);
      output.live([said]);
      return screen();
    };
    expect(shown(30)).toEqual([said.slice(0, 29)]);
    expect(shown(0)).toEqual([said]);
  });

  it('leaves the last block where it is in the end', () => {
    const { output, screen } = aTerminal();
    output.live(['weight 100']);
    output.endLive();
    output.line('done');
    output.live(['next']);
    expect(screen()).toEqual(['weight 100', 'done', 'next']);
  });

  it('cuts live lines to the width, because a wrapped line cannot be replaced', () => {
    const { output, screen } = aTerminal(31);
    output.live(['x'.repeat(100), 'y']);
    output.live(['z']);
    expect(screen()).toEqual(['z']);
    output.live(['x'.repeat(100)]);
    expect(screen()).toEqual(['x'.repeat(30)]);
  });

  it('has colour, unless NO_COLOR is set', () => {
    expect(aTerminal().output.colour.bold('a')).toBe(bold('a'));
    expect(aTerminal(80, { NO_COLOR: '1' }).output.colour.bold('a')).toBe('a');
  });

  it('is plain where the terminal is dumb', () => {
    const { output, raw } = aTerminal(80, { TERM: 'dumb' });
    output.live(['moving']);
    output.line(output.colour.bold('a'));
    expect(raw()).toBe('a\n');
  });
});

describe('output into a pipe', () => {
  it('is plain lines, without what moves', () => {
    const { output, text } = aPipe();
    output.live(['moving']);
    output.line(output.colour.red('an error'));
    output.endLive();
    output.line();
    expect(text()).toBe('an error\n\n');
  });
});

describe('a table', () => {
  it('aligns its columns and ends no line in blanks', () => {
    const { output, text } = aPipe();
    output.table([
      ['NAME', 'STATUS', 'WEIGHT'],
      ['podinfo', 'Progressing', '20'],
      ['a', '', ''],
    ]);
    expect(text()).toBe('NAME      STATUS        WEIGHT\npodinfo   Progressing   20\na\n');
  });

  it('aligns coloured cells by what is seen of them', () => {
    const { output, text } = aPipe();
    output.table([
      [bold('ab'), 'x'],
      ['abc', 'y'],
    ]);
    expect(text()).toBe(`${bold('ab')}    x\nabc   y\n`);
  });

  it('may be empty', () => {
    const { output, text } = aPipe();
    output.table([]);
    expect(text()).toBe('');
  });
});

describe('cutting a text', () => {
  it('counts what is seen, and never tears a sequence or a character', () => {
    expect(cut('abcdef', 3)).toBe('abc');
    expect(cut(`${bold('abc')}def`, 4)).toBe(`${bold('abc')}d`);
    expect(cut(bold('abcdef'), 2)).toBe(bold('ab'));
    expect(cut('▇▇▇▇', 2)).toBe('▇▇');
    expect(cut('a🚀b', 2)).toBe('a🚀');
    expect(cut('abc', 10)).toBe('abc');
    expect(cut('abc', 0)).toBe('');
  });
});
