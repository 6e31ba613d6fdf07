import type { Steps } from '../lib/turns.ts';
import { createPartReader, fileText, joinParts, locateObject } from '../manifest/edit-documents.ts';
import { editingDocument } from '../manifest/edit-object.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { nameOf } from '../manifest/identity.ts';
import { refOf } from '../manifest/types.ts';
import type { FieldTexts, TextEdits } from './text-edit.ts';

/** Writes a field of an object where the object is written. Every other byte of the file stays. */
export function* settingField({ placed, text, field, value }: FieldTexts): Steps<TextEdits> {
  const { object, path } = placed;
  const conflict = (reason: string): TextEdits => ({ kind: 'conflict', reason, path });
  const file = fileText(text);
  const at = locateObject(file, object, createPartReader());
  yield;
  if (!at) return conflict(`${nameOf(refOf(object))} cannot be found in its file`);
  const expected = withValue(at.written.value, [...at.prefix, ...field], value);
  if (expected === undefined) return conflict(`${nameOf(refOf(object))} has no place for ${shownField(field)}`);
  const edited = yield* editingDocument(file.parts[at.part] ?? '', at.document, expected.value, {});
  if (edited.kind === 'refused') return conflict(edited.reason);
  const parts = file.parts.map((part, index) => (index === at.part ? edited.text : part));
  const whole = joinParts(file.mark, parts);
  // Nothing may begin or swallow a document.
  if (fileText(whole).parts.length !== parts.length)
    return conflict('it cannot be written without changing something else');
  return { kind: 'edited', files: whole === text ? new Map() : new Map([[path, whole]]) };
}

/** Undefined where something else than a map or a list is in the way, or a list has no such item. */
function withValue(
  whole: unknown,
  field: readonly (string | number)[],
  value: unknown,
): { readonly value: unknown } | undefined {
  const [name, ...rest] = field;
  if (name === undefined) return { value };
  if (whole === undefined && value === undefined) return { value };
  if (typeof name === 'number') {
    if (!isList(whole) || !(name in whole)) return undefined;
    const item = withValue(whole[name], rest, value);
    if (!item) return undefined;
    const items = [...whole];
    if (item.value === undefined) items.splice(name, 1);
    else items[name] = item.value;
    return { value: items };
  }
  if (!isObject(whole ?? {})) return undefined;
  const members = new Map(Object.entries((whole ?? {}) as Record<string, unknown>));
  const member = withValue(members.get(name), rest, value);
  if (!member) return undefined;
  if (member.value === undefined) members.delete(name);
  else members.set(name, member.value);
  return { value: Object.fromEntries(members) };
}

/** `spec.containers[0].image` */
function shownField(field: readonly (string | number)[]): string {
  const shown = field.map((part) =>
    typeof part === 'number' ? `[${part}]` : /[./]/.test(part) ? `["${part}"]` : `.${part}`,
  );
  return shown.join('').replace(/^\./, '');
}
