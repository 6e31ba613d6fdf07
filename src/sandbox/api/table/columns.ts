import type { StoredObject } from '../../types.ts';

interface Column {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  /** 0 is always shown, anything above only with `-o wide`. */
  readonly priority: number;
}

/** How a kind looks in a table. Cells are in the order of the columns. */
export interface Layout {
  readonly columns: readonly Column[];
  cells(object: StoredObject, nowMs: number): readonly unknown[];
}

export type Cell = (object: StoredObject, nowMs: number) => unknown;

/** Column headings, a star before those that only `-o wide` shows; numbers are told by a hash. */
export function layout(cells: Readonly<Record<string, Cell>>): Layout {
  const entries = Object.entries(cells);
  return {
    columns: entries.map(([heading]) => {
      const name = heading.replace(/^[*#]+/, '');
      return {
        name,
        type: heading.includes('#') ? 'integer' : 'string',
        format: name === 'Name' ? 'name' : '',
        description: '',
        priority: heading.includes('*') ? 1 : 0,
      };
    }),
    cells: (object, nowMs) => entries.map(([, cell]) => cell(object, nowMs)),
  };
}
