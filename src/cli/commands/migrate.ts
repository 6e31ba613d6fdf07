import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { namespacedName } from '../../lib/key.ts';
import { type Migration, migrate } from '../../migrate/migrate.ts';
import type { Note, Told, Verdict } from '../../migrate/types.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { localSettings } from '../local-settings.ts';
import { readManifests } from '../manifest-files.ts';
import type { Output } from '../output.ts';

export interface MigrateOptions {
  readonly json?: boolean;
  /** Changes the files as the diff says. */
  readonly write?: boolean;
  /** Tells also of what is applied as it is. */
  readonly all?: boolean;
}

/**
 * `serin migrate DIR`: what each object of a repository that Flagger, Flux or Argo Rollouts use comes to, the diff, and the order in which to
 * hand over. Exit code 3 where a person has to do something by hand. Throws CONFIG_INVALID where the folder is not there.
 */
export async function migrateFolder(
  { output }: CommandContext,
  folder: string,
  options: MigrateOptions,
): Promise<number> {
  const { settings } = await localSettings({});
  const read = await readManifests([folder], settings);
  const texts = new Map<string, string>();
  // What a link leads to stands elsewhere, and is read there.
  for (const [path, { content, mode }] of read.files) if (mode === undefined) texts.set(path, content.toString('utf8'));
  const found = migrate(texts);
  const unread: readonly Note[] = read.problems.map(({ path, line, message }) => ({
    level: 'told',
    path,
    line,
    text: message,
  }));
  const migration: Migration = { ...found, notes: [...unread, ...found.notes] };
  if (options.write)
    for (const { path, after } of migration.files) {
      if (after === undefined) await rm(join(folder, path));
      else await writeFile(join(folder, path), after);
    }
  if (options.json) tellJson(output, migration);
  else tellText(output, migration, { folder, isWritten: options.write === true, all: options.all === true });
  return countByHand(migration) > 0 ? exitCodes.found : exitCodes.done;
}

const countByHand = ({ objects, notes }: Migration): number =>
  [...objects.flatMap((object) => object.notes), ...notes].filter(({ level }) => level === 'by-hand').length +
  objects.filter((object) => object.verdict === 'by-hand' && !object.notes.some(({ level }) => level === 'by-hand'))
    .length;

function tellJson(output: Output, { objects, notes, files, before, after, settings }: Migration): void {
  for (const object of objects) output.line(JSON.stringify(object));
  for (const note of notes) output.line(JSON.stringify(note));
  for (const { path, diff, after: text } of files)
    output.line(JSON.stringify({ path, diff, isDeleted: text === undefined }));
  output.line(JSON.stringify({ before, settings: Object.fromEntries(settings), after }));
}

interface Shown {
  readonly folder: string;
  readonly isWritten: boolean;
  readonly all: boolean;
}

function tellText(output: Output, migration: Migration, { folder, isWritten, all }: Shown): void {
  const { objects, notes, files, before, after, settings } = migration;
  const isPlain = ({ verdict, text, notes: said }: Told): boolean =>
    verdict === 'stays' && said.length === 0 && text === 'is applied as it is';
  for (const object of objects) if (all || !isPlain(object)) tellObject(output, object);
  for (const note of notes) tellNote(output, note);
  const plain = objects.filter(isPlain).length;
  if (!all && plain > 0)
    output.line(
      plain === 1
        ? '1 more object is applied as it is (--all names it)'
        : `${plain} more objects are applied as they are (--all names them)`,
    );
  for (const { diff } of files) {
    output.line('');
    for (const line of diff.trimEnd().split('\n')) output.line(colouredLine(output, line));
  }
  const step = (title: string, commands: readonly string[]): void => {
    if (commands.length === 0) return;
    output.line('');
    output.line(output.colour.bold(title));
    for (const command of commands) output.line(`  ${command}`);
  };
  const flags = [...settings].map(([name, value]) => `--${name}=${value}`);
  step('Settings of Flagger, for serin run:', flags);
  step('Before Serin starts, so that no two write the same (what runs goes on serving):', before);
  step('After Serin has taken over:', after);
  output.line('');
  const byHand = countByHand(migration);
  const changed = `${files.length} ${files.length === 1 ? 'file' : 'files'} ${isWritten ? 'changed' : 'to change'}`;
  const rest =
    byHand === 0 ? 'nothing is left to do by hand' : `${byHand} ${byHand === 1 ? 'thing' : 'things'} to do by hand`;
  output.line(
    (byHand === 0 ? output.colour.green : output.colour.yellow)(
      `${objects.length} ${objects.length === 1 ? 'object' : 'objects'}: ${changed}, ${rest}`,
    ),
  );
  if (files.length > 0 && !isWritten) output.line(`--write changes the files; then serin validate ${folder}`);
  else output.line(`then serin validate ${folder}`);
}

function tellObject(output: Output, { object, path, line, verdict, text, notes }: Told): void {
  const name =
    object.namespace === undefined ? object.name : namespacedName({ namespace: object.namespace, name: object.name });
  const colour = colourOf(output, verdict);
  output.line(`${path}:${line}: ${output.colour.bold(`${object.kind} ${name}`)} ${colour(text)}`);
  for (const note of notes) tellNote(output, note, '  ');
}

function tellNote(output: Output, { level, path, line, field, text }: Note, indent = ''): void {
  const what = level === 'by-hand' ? output.colour.yellow('by hand: ') : '';
  const where = field === undefined ? '' : `${field}: `;
  output.line(`${indent}${path}:${line}: ${what}${where}${text}`);
}

const colourOf = ({ colour }: Output, verdict: Verdict): ((text: string) => string) => {
  if (verdict === 'by-hand') return colour.yellow;
  return verdict === 'stays' || verdict === 'unused' ? (text) => text : colour.green;
};

function colouredLine({ colour }: Output, line: string): string {
  if (line.startsWith('+')) return colour.green(line);
  return line.startsWith('-') ? colour.red(line) : line;
}
