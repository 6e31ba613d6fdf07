import type { Steps } from '../lib/turns.ts';
import type { KubeObject } from '../manifest/types.ts';
import { settingField } from './plain-field.ts';
import { restoringTexts } from './plain-restore.ts';
import type { ObjectFacts } from './renderer.ts';

/** An object, no more of it than tells it from others, and the file that it is written in. */
export interface PlacedObject {
  readonly object: KubeObject;
  readonly path: string;
}

/** What an edit needs of one tree: the files that it may touch, by path, and what is read in them, by identity. */
export interface TextsOfTree {
  readonly texts: ReadonlyMap<string, string>;
  readonly objects: ReadonlyMap<string, PlacedObject>;
}

/** See `RestoreGoal`. */
export interface RestoreTexts {
  readonly kind: 'restore';
  readonly base: TextsOfTree;
  readonly judged: TextsOfTree;
  readonly tip: TextsOfTree;
  /** The objects, by identity. */
  readonly facts: ReadonlyMap<string, ObjectFacts>;
}

/** See `FieldGoal`. */
export interface FieldTexts {
  readonly kind: 'field';
  readonly placed: PlacedObject;
  readonly text: string;
  readonly field: readonly (string | number)[];
  readonly value: unknown;
}

/** An edit of texts in which objects are written as they are. Plain data: it may be sent to a thread. */
export type TextEdit = RestoreTexts | FieldTexts;

export type TextEdits =
  /** Null removes the file. */
  | { readonly kind: 'edited'; readonly files: ReadonlyMap<string, string | null> }
  /** `path` undefined: of all files of the objects. */
  | { readonly kind: 'conflict'; readonly reason: string; readonly path: string | undefined };

/** Edits foreign texts without keeping others from their work. Rejects where that takes more than it may. */
export interface TextEditor {
  /** `mostMs`: others wait for what is done after it; rejects with EditLate where that is not enough. Absent: as long as it may take. */
  edit(edit: TextEdit, mostMs?: number): Promise<TextEdits>;
}

/** The time that was given was too little; it says nothing of the texts. */
export class EditLate extends Error {
  constructor() {
    super('others go first');
  }
}

/** Yields after each document. */
export function editingTexts(edit: TextEdit): Steps<TextEdits> {
  return edit.kind === 'restore' ? restoringTexts(edit) : settingField(edit);
}

export function textsOf(edit: TextEdit): readonly string[] {
  if (edit.kind === 'field') return [edit.text];
  return [edit.base, edit.judged, edit.tip].flatMap(({ texts }) => [...texts.values()]);
}

/** The files that it is about, first those of the tip. */
export function pathsOf(edit: TextEdit): readonly string[] {
  if (edit.kind === 'field') return [edit.placed.path];
  return [edit.tip, edit.judged, edit.base].flatMap(({ texts }) => [...texts.keys()]);
}
