import { LineCounter, parseAllDocuments, type Document } from 'yaml';
import type { KubeObject, Manifest, Problem } from './types.ts';

export interface ParsedFile {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
}

/**
 * All Kubernetes objects of one YAML or JSON file. A document that cannot be read costs only itself; documents without `apiVersion`
 * and `kind` are something else (values, settings) and are passed over.
 */
export function parseManifests(path: string, text: string): ParsedFile {
  const manifests: Manifest[] = [];
  const problems: Problem[] = [];
  const lines = new LineCounter();
  let documents: Document.Parsed[];
  try {
    const parsed = parseAllDocuments(text.replace(/^\uFEFF/, ''), { lineCounter: lines, uniqueKeys: true, merge: true });
    documents = 'empty' in parsed ? [] : parsed;
  } catch (error) {
    return { manifests, problems: [{ severity: 'error', path, line: 1, message: `not readable as YAML: ${String(error)}` }] };
  }
  documents.forEach((document, index) => {
    const start = document.contents?.range?.[0] ?? document.range[0];
    const line = lines.linePos(start).line;
    const [error] = document.errors;
    if (error) {
      const at = error.linePos?.[0].line ?? line;
      problems.push({ severity: 'error', path, line: at, message: `not readable as YAML: ${error.message.split('\n')[0] ?? ''}`, hint: 'the objects of this document are left as they are in the cluster' });
      return;
    }
    let value: unknown;
    try {
      // Aliases are counted: a few lines must not become gigabytes.
      value = document.toJS({ maxAliasCount: 100 });
    } catch (cause) {
      problems.push({ severity: 'error', path, line, message: `not readable as YAML: ${cause instanceof Error ? cause.message : String(cause)}` });
      return;
    }
    collect(value, { path, document: index, line }, manifests, problems);
  });
  return { manifests, problems };
}

function collect(value: unknown, source: Manifest['source'], manifests: Manifest[], problems: Problem[]): void {
  if (!isRecord(value)) return;
  const { apiVersion, kind } = value;
  if (apiVersion === undefined && kind === undefined) return;
  const complain = (message: string, hint?: string): void => {
    problems.push({ severity: 'error', path: source.path, line: source.line, message, ...(hint ? { hint } : {}) });
  };
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || apiVersion === '' || kind === '') {
    return complain('an object needs both apiVersion and kind, as text', 'add the one that is missing');
  }
  if (kind === 'Kustomization' && apiVersion.startsWith('kustomize.config.k8s.io/')) {
    problems.push({ severity: 'warning', path: source.path, line: source.line, message: 'a kustomization is not rendered: the files beside it are applied as they are', hint: 'commit the rendered manifests' });
    return;
  }
  if (kind === 'List' && Array.isArray(value['items'])) {
    for (const item of value['items']) collect(item, source, manifests, problems);
    return;
  }
  const metadata = value['metadata'];
  if (!isRecord(metadata) || typeof metadata['name'] !== 'string' || metadata['name'] === '') {
    return complain(`${kind} has no metadata.name`, metadata !== undefined && isRecord(metadata) && metadata['generateName'] ? 'generateName cannot be kept in Git: give it a name' : 'give it a name');
  }
  if (metadata['namespace'] !== undefined && typeof metadata['namespace'] !== 'string') return complain(`${kind} ${metadata['name']}: metadata.namespace must be text`);
  for (const field of ['labels', 'annotations'] as const) {
    const map = metadata[field];
    if (map === undefined || map === null) continue;
    if (!isRecord(map)) return complain(`${kind} ${metadata['name']}: metadata.${field} must be a map`);
    const wrong = Object.entries(map).find(([, entry]) => typeof entry !== 'string');
    if (wrong) return complain(`${kind} ${metadata['name']}: metadata.${field}.${wrong[0]} must be text`, 'put the value in quotes');
  }
  manifests.push({ object: value as KubeObject, source });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
