import { isRecord } from '../lib/json.ts';
import { excessOf } from './measure.ts';
import { type Placeholder, type Placeholders, placeholdersIn } from './placeholders.ts';
import { groupOf, type KubeObject, type Manifest, type Problem } from './types.ts';

export interface DocumentPlace {
  readonly path: string;
  readonly document: number;
  /** First line of the document, or of an item of its `items`. */
  readonly lineAt: (item?: number) => number;
  /** The line of a text, from a line on; that line where it is not found. */
  readonly lineOf: (text: string, from: number) => number;
  /** Something may stand in the document that nobody fills in. */
  readonly mayHoldPlaceholders: boolean;
  /** Of an object; see `excessOf`. */
  readonly maxLength: number;
}

export interface FoundObjects {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  /** What it is instead, where it is no object and nobody meant one. */
  readonly stray: string | undefined;
  /** It is encrypted with SOPS. Absent: it is not. */
  readonly isEncrypted?: true;
}

/** Objects that tools read from files and no cluster serves. */
const localGroups = new Set([
  'audit.k8s.io',
  'backstage.io',
  'client.authentication.k8s.io',
  'eksctl.io',
  'kind.x-k8s.io',
  'kubeadm.k8s.io',
  'kubelet.config.k8s.io',
  'kubeproxy.config.k8s.io',
  'kustomize.config.k8s.io',
]);

/** The objects of one document that was read: one, several in a List, or none where it is no Kubernetes object. */
export function readObjects(value: unknown, place: DocumentPlace): FoundObjects {
  const { path, document, lineAt } = place;
  const manifests: Manifest[] = [];
  const problems: Problem[] = [];
  const take = (candidate: Record<string, unknown>, line: number): void => {
    const complaint = complaintOf(candidate) ?? excessIn(candidate, place.maxLength);
    const { open, escaped } = place.mayHoldPlaceholders && !complaint ? placeholdersIn(candidate) : noPlaceholders;
    if (complaint) problems.push({ severity: 'error', path, line, ...complaint });
    else if (open) problems.push({ severity: 'error', path, ...unfilled(candidate, open, line, place) });
    else {
      const odd = oddName(candidate);
      if (odd) problems.push({ severity: 'error', path, line, ...odd });
      else
        manifests.push({
          object: tidied(candidate as KubeObject),
          origin: { renderer: 'plain', path, document, line },
        });
    }
    if (escaped && !open) problems.push({ severity: 'warning', path, ...escape(candidate, escaped, line, place) });
  };
  if (isRecord(value) && isEncrypted(value)) {
    const problem = encryptedProblem(value, { path, line: lineAt() });
    return { manifests, problems: [problem], stray: undefined, isEncrypted: true };
  }
  if (!isRecord(value) || !isMeant(value)) return { manifests, problems, stray: strayOf(value) };
  const { items } = value;
  if (!isList(value) || !Array.isArray(items)) take(value, lineAt());
  else
    items.forEach((entry: unknown, index) => {
      const item = withKindOf(value, entry);
      const line = lineAt(index);
      if (isRecord(item) && isObjectOfCluster(item)) return take(item, line);
      if (isRecord(item) && item['apiVersion'] !== undefined && item['kind'] !== undefined) return;
      const message = `item ${index + 1} of the ${String(value['kind'])} is no object`;
      problems.push({ severity: 'error', path, line, message, hint: 'give it apiVersion, kind and metadata' });
    });
  return { manifests, problems, stray: Array.isArray(items) && items.length === 0 ? emptyListOf(value) : undefined };
}

const noPlaceholders: Placeholders = { open: undefined, escaped: undefined };

type Told = Pick<Problem, 'line' | 'message' | 'hint'>;

const shownName = ({ kind, metadata }: Record<string, unknown>): string =>
  `${String(kind)} ${String((metadata as Record<string, unknown>)['name'])}`.slice(0, 200);

function unfilled(object: Record<string, unknown>, found: Placeholder, line: number, place: DocumentPlace): Told {
  const { text, field, kind } = found;
  const isVariable = kind === 'variable';
  const what = isVariable ? `${text}, which nobody fills in` : 'a template, which nobody renders';
  return {
    line: place.lineOf(isVariable ? text.slice(0, -1) : '{{', line),
    message: `${shownName(object)}: ${field.slice(0, 200)} holds ${what}: it is not applied, and what the cluster has of it stays`,
    hint: isVariable
      ? 'commit what Flux renders (flux build kustomization), or, where it is meant so, annotate the object with kustomize.toolkit.fluxcd.io/substitute: disabled'
      : 'commit what it renders to',
  };
}

function escape(object: Record<string, unknown>, found: Placeholder, line: number, place: DocumentPlace): Told {
  const { text, field } = found;
  return {
    line: place.lineOf(text.slice(0, -1), line),
    message: `${shownName(object)}: ${field.slice(0, 200)} holds ${text}: that is applied as it stands`,
    hint: `where it was written for Flux's postBuild, write ${text.slice(1)}`,
  };
}

const emptyListOf = (value: Record<string, unknown>): string | undefined =>
  isList(value) ? `holds a ${String(value['kind'])} without items` : undefined;

function strayOf(value: unknown): string {
  if (Array.isArray(value)) return 'holds a list, no object';
  if (!isRecord(value)) return 'holds only text, no object';
  const { apiVersion, kind } = value;
  if (typeof apiVersion === 'string' && typeof kind === 'string') {
    return `holds a ${kind.slice(0, 60)} (${apiVersion.slice(0, 60)}), which no cluster serves`;
  }
  return 'holds no object (no apiVersion and kind)';
}

const isList = ({ kind }: Record<string, unknown>): boolean => typeof kind === 'string' && kind.endsWith('List');

/** As kubectl does: items of a ConfigMapList need not say that they are ConfigMaps. */
function withKindOf(list: Record<string, unknown>, item: unknown): unknown {
  const { apiVersion, kind } = list;
  if (!isRecord(item) || kind === 'List' || item['kind'] !== undefined || item['apiVersion'] !== undefined) return item;
  return { apiVersion, kind: String(kind).slice(0, -'List'.length), ...item };
}

/** Whether somebody meant a Kubernetes object: values files, charts and the settings of tools are none. */
function isMeant(value: Record<string, unknown>): boolean {
  const { apiVersion, kind, metadata } = value;
  if (apiVersion === undefined || kind === undefined) {
    return (apiVersion !== undefined || kind !== undefined) && isRecord(metadata) && metadata['name'] !== undefined;
  }
  return isObjectOfCluster(value);
}

/** Not read from a file by a tool, as kubeconfigs are. */
function isObjectOfCluster({ apiVersion, kind }: Record<string, unknown>): boolean {
  if (apiVersion === undefined && kind === undefined) return false;
  if (typeof apiVersion !== 'string') return true;
  return !localGroups.has(groupOf(apiVersion)) && !(apiVersion === 'v1' && kind === 'Config');
}

type Complaint = Pick<Problem, 'message' | 'hint'>;

function excessIn(value: Record<string, unknown>, maxLength: number): Complaint | undefined {
  const excess = excessOf(value, maxLength);
  return excess === undefined ? undefined : { message: `${shownName(value)} ${excess}`, hint: 'divide it' };
}

function complaintOf(value: Record<string, unknown>): Complaint | undefined {
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== 'string' || !/^(?:[a-z0-9.-]+\/)?[a-z0-9]+$/i.test(apiVersion)) {
    return { message: `apiVersion ${shown(apiVersion)} is none`, hint: 'write it like v1 or apps/v1' };
  }
  if (typeof kind !== 'string' || !/^[A-Za-z][A-Za-z0-9]*$/.test(kind)) {
    return { message: `kind ${shown(kind)} is none`, hint: 'write it like Deployment' };
  }
  if (!isRecord(metadata)) return { message: `${kind} has no metadata`, hint: 'give it a metadata.name' };
  const { name, namespace } = metadata;
  if (typeof name === 'number' || typeof name === 'boolean') {
    return { message: `${kind}: metadata.name must be text`, hint: `write it as "${name}"` };
  }
  if (typeof name !== 'string' || name === '') {
    const hint =
      metadata['generateName'] === undefined
        ? 'give it a name'
        : 'an object in Git needs a name of its own: replace generateName';
    return { message: `${kind} has no metadata.name`, hint };
  }
  if (namespace !== undefined && namespace !== null && typeof namespace !== 'string') {
    return { message: `${kind} ${name}: metadata.namespace must be text`, hint: `write it as "${shown(namespace)}"` };
  }
  for (const field of ['labels', 'annotations']) {
    const map = metadata[field];
    if (map === undefined || map === null) continue;
    if (!isRecord(map)) return { message: `${kind} ${name}: metadata.${field} must be a map` };
    const wrong = Object.entries(map).find(([, entry]) => entry !== null && typeof entry !== 'string');
    if (wrong) {
      return {
        message: `${kind} ${name}: metadata.${field}["${wrong[0]}"] must be text`,
        hint: 'put the value in quotes',
      };
    }
  }
  return undefined;
}

/** A name that a tool was to fill in, or that no API server takes, because it would be another path. */
function oddName({ kind, metadata }: Record<string, unknown>): Complaint | undefined {
  const { name, namespace } = metadata as Record<string, unknown>;
  const other = [name, namespace].find((part) => typeof part === 'string' && /[/%\\]|^\.{1,2}$/.test(part));
  if (other !== undefined)
    return {
      message: `${String(kind)}: ${shown(other)} is no name`,
      hint: 'a name has letters, digits, hyphens and dots',
    };
  const odd = [name, namespace].find((part) => typeof part === 'string' && /[{}$<>\s]/.test(part));
  if (odd === undefined) return undefined;
  const hint = 'templates and variables are not filled in: commit what they render to';
  return { message: `${String(kind)}: ${shown(odd)} is no name`, hint };
}

function encryptedProblem({ kind, metadata }: Record<string, unknown>, place: Pick<Problem, 'path' | 'line'>): Problem {
  const name = isRecord(metadata) ? metadata['name'] : undefined;
  const isNamed = [kind, name].every((word) => typeof word === 'string' && !word.startsWith('ENC['));
  const what = isNamed ? `${String(kind)} ${String(name)}`.slice(0, 200) : 'the file';
  const message = `${what} is encrypted with SOPS: it is not applied`;
  return { severity: 'error', ...place, message, hint: 'what the cluster has of it stays as it is' };
}

const isEncrypted = ({ sops }: Record<string, unknown>): boolean =>
  isRecord(sops) && (sops['mac'] !== undefined || sops['lastmodified'] !== undefined);

/** Empty values of `metadata` that kubectl drops as well. */
function tidied(object: KubeObject): KubeObject {
  const { metadata } = object;
  const isClean =
    metadata.namespace !== null &&
    metadata.namespace !== '' &&
    metadata.labels !== null &&
    metadata.annotations !== null &&
    ![metadata.labels, metadata.annotations].some((map) => map && Object.values(map).some((entry) => entry === null));
  if (isClean) return object;
  const entries = Object.entries(metadata)
    .filter(([field, value]) => value !== null && !(field === 'namespace' && value === ''))
    .map(([field, value]) =>
      field === 'labels' || field === 'annotations'
        ? [field, Object.fromEntries(Object.entries(value as object).map(([key, entry]) => [key, entry ?? '']))]
        : [field, value],
    );
  return { ...object, metadata: Object.fromEntries(entries) as KubeObject['metadata'] };
}

function shown(value: unknown): string {
  return value === undefined ? '(missing)' : JSON.stringify(value).slice(0, 60);
}
