import type { KubeObject, ObjectRef } from '../manifest/types.ts';

/** A document of a file, as Git has it. */
export interface Found {
  readonly path: string;
  /** Zero-based, in the file. */
  readonly document: number;
  /** One-based. */
  readonly line: number;
  readonly object: KubeObject;
  /** Of a field such as `spec.strategy.canary.steps[2]`; of its nearest parent where it is absent. */
  readonly lineOf: (field: string) => number;
}

/** What stands in the repository. */
export interface World {
  readonly all: readonly Found[];
  /** In a namespace as it is written; undefined: none is. */
  readonly find: (kind: string, name: string, namespace: string | undefined) => Found | undefined;
}

/** What a person has to know, or has to do. */
export interface Note {
  readonly level: 'told' | 'by-hand';
  readonly path: string;
  readonly line: number;
  /** Absent: it is about the whole object. */
  readonly field?: string;
  readonly text: string;
}

/**
 * `stays`: Serin follows it as it is. `changes`: an edit of it is part of the diff. `becomes`: it is replaced by others. `goes`: the diff takes it
 * away, because Serin makes it, or nobody needs it. `by-hand`: a person has to decide. `unused`: nothing comes of it.
 */
export type Verdict = 'stays' | 'changes' | 'becomes' | 'goes' | 'by-hand' | 'unused';

/** What is said of one object. */
export interface Told {
  readonly object: ObjectRef;
  readonly path: string;
  readonly line: number;
  readonly verdict: Verdict;
  readonly text: string;
  readonly notes: readonly Note[];
}

/** What is to be done to a document of a file: brought to an object, replaced by some, or taken out. */
export type DocumentChange =
  | {
      readonly kind: 'edit';
      readonly to: KubeObject;
      /** What it comes to, for people. */
      readonly text: string;
    }
  | { readonly kind: 'replace'; readonly by: readonly KubeObject[] }
  /** It stays in its place, edited, and others follow it. */
  | { readonly kind: 'edit-and-add'; readonly to: KubeObject; readonly more: readonly KubeObject[] };

export type Changes = Map<Found, DocumentChange>;

/** Notes of one object, with its places. */
export function createNotes(found: Found): {
  readonly list: Note[];
  say(level: Note['level'], field: string, text: string): void;
} {
  const list: Note[] = [];
  return {
    list,
    say: (level, field, text) =>
      void list.push({
        level,
        path: found.path,
        line: field === '' ? found.line : found.lineOf(field),
        ...(field === '' ? {} : { field }),
        text,
      }),
  };
}
