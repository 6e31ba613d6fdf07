import type { Steps } from '../lib/turns.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { readYaml, valueOf } from '../manifest/read-yaml.ts';
import { textIn } from '../manifest/text.ts';
import type { Chart } from './chart.ts';
import type { SourceTree } from './renderer.ts';
import { filesUnder, sourceBytes } from './source-bytes.ts';
import type { GitFile } from './tree-files.ts';

type Input = string | GitFile;

const mostFiles = 2_000;
const mostDepth = 8;
const mostDescriptionBytes = 256 * 1024;
const linkMode = '120000';
const unlistedMode = '40000';

/** A text says why there is none. */
export function* chartIn(folder: string, tree: SourceTree): Steps<Chart | string> {
  const files = new Map<string, Input>();
  const inputs = new Map<string, Input>();
  const take = function* (from: string, to: string, above: readonly string[]): Steps<string | undefined> {
    if (above.includes(from)) return `the chart ${shown(from)} depends on itself`;
    if (above.length > mostDepth) return `its charts depend on each other more than ${mostDepth} deep`;
    const prefix = from === '' ? '' : `${from}/`;
    const found = yield* filesUnder(from, tree.files);
    const description = found.get(`${prefix}Chart.yaml`);
    if (description === undefined) return `there is no chart in ${shown(from)}: it has no Chart.yaml`;
    for (const [path, file] of found) {
      if (!tree.isOwn(path)) return `${path} belongs to another tenant`;
      if (typeof file === 'object' && file.mode === linkMode) return `${path} is a symbolic link`;
      if (typeof file === 'object' && file.mode === unlistedMode) return `${path} is nested too deeply`;
      files.set(to + path.slice(prefix.length), file);
      inputs.set(path, file);
      if (files.size > mostFiles) return `its chart has more than ${mostFiles} files`;
    }
    yield;
    for (const file of [description, found.get(`${prefix}requirements.yaml`)]) {
      if (file === undefined) continue;
      const value = yield* yamlIn(file, tree);
      if (!isObject(value)) return `${prefix}Chart.yaml cannot be read`;
      for (const { name, repository } of dependenciesIn(value)) {
        const beside = besideOf(from, repository);
        if (beside === undefined) continue;
        // What was put into the chart's own folder counts.
        const own = `${prefix}charts/${name}`;
        if ([...found.keys()].some((path) => path.startsWith(`${own}/`) || path.startsWith(`${own}-`))) continue;
        if (beside === null)
          return `${prefix}Chart.yaml depends on ${repository.slice(0, 200)}, which is not in the repository`;
        const wrong = yield* take(beside, `${to}charts/${name}/`, [...above, from]);
        if (wrong !== undefined) return wrong;
      }
    }
    return undefined;
  };
  const wrong = yield* take(folder, '', []);
  if (wrong !== undefined) return wrong;
  const value = yield* yamlIn(files.get('Chart.yaml') ?? '', tree);
  const name = isObject(value) ? value['name'] : undefined;
  if (typeof name !== 'string') return `${folder === '' ? '' : `${folder}/`}Chart.yaml cannot be read, or has no name`;
  return { files, inputs, name };
}

/** Undefined where it leaves the repository. */
export function pathIn(folder: string, name: string): string | undefined {
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of name.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

/** Undefined where it is no YAML of one document, or too large. */
function* yamlIn(file: Input, tree: SourceTree): Steps<unknown> {
  const bytes = yield* sourceBytes(file, tree.files);
  if (bytes.length > mostDescriptionBytes) return undefined;
  const text = textIn(bytes);
  if (typeof text !== 'string') return undefined;
  try {
    const [document, ...more] = readYaml(text);
    return document && more.length === 0 && document.errors.length === 0 ? valueOf(document) : undefined;
  } catch {
    return undefined;
  }
}

function dependenciesIn(description: Record<string, unknown>): readonly { name: string; repository: string }[] {
  const list = description['dependencies'];
  if (!isList(list)) return [];
  return list.flatMap((entry) => {
    const { name, repository } = isObject(entry) ? entry : {};
    // It becomes the name of a folder.
    if (typeof name !== 'string' || !/^[A-Za-z0-9][\w.-]*$/.test(name) || typeof repository !== 'string') return [];
    return [{ name, repository }];
  });
}

/** The folder of a chart that another one names by `file://`. Null: out of the repository; undefined: it comes from elsewhere. */
function besideOf(folder: string, repository: string): string | null | undefined {
  if (!repository.startsWith('file://')) return undefined;
  const name = repository.slice('file://'.length);
  return name.startsWith('/') ? null : (pathIn(folder, name) ?? null);
}

const shown = (folder: string): string => (folder === '' ? 'the root of the repository' : folder);
