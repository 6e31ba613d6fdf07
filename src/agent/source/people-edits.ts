import type { Revision } from '../../git/repo.ts';
import type { BranchEdit } from '../../release/branch-edit.ts';
import type { EditListeners } from '../../release/edit-writer.ts';

/** What came of an edit that a person asked for. */
export type EditResult =
  | { readonly kind: 'landed'; readonly revision: Revision; readonly subject: string }
  | { readonly kind: 'needless'; readonly reason: string }
  /** It is given up: nothing comes of it later. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Edits that people wait for: they go by the queue of all edits, and whoever asked is told what came of it. */
export interface PeopleEdits {
  /** For the writer: what is no person's edit goes to `others`. */
  readonly listeners: EditListeners;
  /** Resolves when it has landed, or is given up; while Git does not answer it waits. */
  make(edit: Omit<BranchEdit, 'key'>): Promise<EditResult>;
}

export function createPeopleEdits(submit: (edit: BranchEdit) => void, others: EditListeners): PeopleEdits {
  const waiting = new Map<string, (result: EditResult) => void>();
  let last = 0;
  const settle = (edit: BranchEdit, result: EditResult): boolean => {
    const tell = waiting.get(edit.key);
    waiting.delete(edit.key);
    tell?.(result);
    return tell !== undefined || isPeoples(edit);
  };
  return {
    listeners: {
      onWritten(edit, revision, subject) {
        if (!settle(edit, { kind: 'landed', revision, subject })) others.onWritten(edit, revision, subject);
      },
      onNeedless(edit, reason) {
        if (!settle(edit, { kind: 'needless', reason })) others.onNeedless(edit, reason);
      },
      onBlocked(edit, reason) {
        if (!settle(edit, { kind: 'refused', reason })) others.onBlocked(edit, reason);
      },
    },
    make(edit) {
      last += 1;
      const key = `${prefix}${last}`;
      return new Promise((resolve) => {
        waiting.set(key, resolve);
        submit({
          ...edit,
          key,
          // A person was told that nothing comes of it: it must not land in an hour.
          *plan(tip) {
            if (!waiting.has(key))
              return { kind: 'needless', reason: 'whoever asked for it was told that it is given up' };
            return yield* edit.plan(tip);
          },
        });
      });
    },
  };
}

const prefix = 'person ';
const isPeoples = ({ key }: BranchEdit): boolean => key.startsWith(prefix);
