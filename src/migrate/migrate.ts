import { at, jsonOf, textOf } from '../lib/json.ts';
import { editDocument } from '../manifest/edit-object.ts';
import { writtenIn } from '../manifest/edit-tree.ts';
import { createLineFinder } from '../manifest/locate.ts';
import { parseManifests } from '../manifest/parse.ts';
import { groupOf, type KubeObject, type Manifest, refOf } from '../manifest/types.ts';
import { type ConvertedTemplate, convertTemplate } from './analysis-template.ts';
import { unifiedDiff } from './diff.ts';
import { changedFiles, type ChangedFile } from './files.ts';
import { saidOf } from './others.ts';
import { convertRollout } from './rollout.ts';
import type { Changes, Found, Note, Told, Verdict, World } from './types.ts';

export interface Migration {
  /** Of every object, in the order of files. */
  readonly objects: readonly Told[];
  /** What is about no object: chart templates, patches, files that cannot be read. */
  readonly notes: readonly Note[];
  readonly files: readonly (ChangedFile & { readonly diff: string })[];
  /** Commands before Serin starts, so that no two write the same; and after it has taken over. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Settings of `serin run` that Flagger has in these files. */
  readonly settings: ReadonlyMap<string, string>;
}

/** What a repository of Flagger, Flux or Argo Rollouts comes to under Serin. `files`: texts by path, of everything that may hold objects. */
export function migrate(files: ReadonlyMap<string, string>): Migration {
  const textOf = (path: string): string => files.get(path) ?? '';
  const lineOf = createLineFinder((path) => files.get(path));
  const isTemplate = chartTemplates(files);
  const parsed = [...files].flatMap(([path, text]) =>
    isTemplate(path) ? [] : [[path, parseManifests(path, text)] as const],
  );
  const all = parsed.flatMap(([, { manifests }]) => manifests).map((manifest) => foundOf(manifest, lineOf));
  const world: World = {
    all,
    find: (kind, name, namespace) =>
      all.find(
        ({ object }) =>
          object.kind === kind && object.metadata.name === name && object.metadata.namespace === namespace,
      ),
  };
  const changes: Changes = new Map();
  const told = new Map<Found, Omit<Told, 'object' | 'path' | 'line'>>();
  const templates = createTemplates(all);
  const after: string[] = [];
  const before = new Set<string>();
  /** Names of AnalysisTemplates that a Rollout goes on using. */
  const stillUsed = new Set<string>();

  for (const found of all) {
    if (!isRollout(found.object)) continue;
    const { namespace, name } = found.object.metadata;
    if (isPatch(found.object)) {
      told.set(found, patchOf(found, changes));
      continue;
    }
    // Of one that stays a Rollout nothing else may change either.
    const own: Changes = new Map();
    const converted = convertRollout(found, { world, changes: own, template: templates.find });
    if ('refused' in converted) {
      for (const template of templateNamesIn(found.object['spec'])) stillUsed.add(template);
      told.set(found, { verdict: 'by-hand', text: `stays a Rollout: ${converted.refused}`, notes: converted.notes });
      continue;
    }
    for (const [other, change] of own) changes.set(other, change);
    before.add(`${scaleRollouts}0`);
    const { canary, deployment, text, notes } = converted;
    changes.set(
      found,
      deployment ? { kind: 'edit-and-add', to: deployment, more: [canary] } : { kind: 'replace', by: [canary] },
    );
    const what = deployment ? 'a Deployment, and a Canary' : `a Canary for Deployment ${canary.metadata.name}`;
    told.set(found, { verdict: 'becomes', text: `becomes ${what}: ${text}`, notes });
    const ns = namespace === undefined ? '' : `-n ${namespace} `;
    after.push(
      `kubectl ${ns}wait canary/${canary.metadata.name} --for=jsonpath={.status.phase}=Initialized --timeout=10m && kubectl ${ns}delete rollout ${name}`,
    );
  }
  for (const { isAsked, ...template } of templates.used()) {
    const { found, metrics, notes } = template;
    if (metrics.length === 0) {
      told.set(found, { verdict: 'by-hand', text: 'nothing of it could be taken over', notes });
      continue;
    }
    const made = metrics.map((metric) => metric.template);
    const names = made.map(({ metadata }) => metadata.name).join(', ');
    const isKept = stillUsed.has(found.object.metadata.name);
    if (isKept && !isAsked) {
      told.set(found, { verdict: 'by-hand', text: 'stays for the Rollout that uses it', notes });
      continue;
    }
    changes.set(found, isKept ? { kind: 'edit-and-add', to: found.object, more: made } : { kind: 'replace', by: made });
    const text = isKept
      ? `stays for the Rollout that uses it; MetricTemplate ${names} says the same`
      : `becomes MetricTemplate ${names}`;
    told.set(found, { verdict: 'becomes', text, notes });
  }

  if (after.length > 0 && all.some((found) => isRollout(found.object) && told.get(found)?.verdict === 'by-hand'))
    after.push(`${scaleRollouts}1   # for the Rollouts that stay`);

  const settings = new Map<string, string>();
  for (const found of all) {
    const said = told.has(found) ? undefined : saidOf(found);
    for (const command of said?.before ?? []) before.add(command);
    for (const [name, value] of said?.settings ?? []) settings.set(name, value);
    if (!said) continue;
    const notes = (said.notes ?? []).map((note) => ({
      ...note,
      path: found.path,
      line: note.field === undefined ? found.line : found.lineOf(note.field),
    }));
    told.set(found, { verdict: said.verdict, text: said.text, notes });
  }

  const shared = sharedDocuments(all);
  for (const found of changes.keys())
    if (shared.has(`${found.path} ${found.document}`)) refuse(found, 'it is an item of a List', changes, told);
  const written = changedFiles(changes, textOf);
  for (const [found, reason] of written.refused) refuse(found, reason, changes, told);
  const changed = withKustomizations(written.files, files);
  const noObjects = [...parsed].flatMap(([path, { problems }]) =>
    problems
      .filter(({ severity }) => severity === 'error')
      .map(({ line, message }): Note => ({ level: 'by-hand', path, line, text: `is not looked at: ${message}` })),
  );
  return {
    objects: all.map((found) => toldOf(found, told.get(found), changes)),
    notes: [...noObjects, ...mentions(files, all), ...fluxFiles(files)],
    files: changed.map((file) => ({ ...file, diff: unifiedDiff(file.path, file.before, file.after ?? '') })),
    before: [...before],
    after,
    settings,
  };
}

/** Its controller would go on to write the selectors of Services. */
const scaleRollouts = 'kubectl -n argo-rollouts scale deployment argo-rollouts --replicas=';

/** Wherever they are named. */
function templateNamesIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(templateNamesIn);
  const members = jsonOf(value);
  const name = textOf(members['templateName']) ?? textOf(members['clusterTemplateName']);
  return [...(name === undefined ? [] : [name]), ...Object.values(members).flatMap(templateNamesIn)];
}

/** Files that Helm reads: what they make is told by rendering them, and Serin does where a HelmRelease names the chart. */
function chartTemplates(files: ReadonlyMap<string, string>): (path: string) => boolean {
  const folders = [...files.keys()]
    .filter((path) => /(?:^|\/)Chart\.yaml$/.test(path))
    .map((path) => `${path.slice(0, -'Chart.yaml'.length)}templates/`);
  return (path) => folders.some((folder) => path.startsWith(folder));
}

function foundOf({ object, origin }: Manifest, lineOf: ReturnType<typeof createLineFinder>): Found {
  const { path, line } = origin;
  const document = 'document' in origin && origin.document !== undefined ? origin.document : 0;
  return { path, line, document, object, lineOf: (field) => lineOf(origin, field) ?? line };
}

const isRollout = ({ apiVersion, kind }: KubeObject): boolean =>
  kind === 'Rollout' && groupOf(apiVersion) === 'argoproj.io';

/** Of kustomize: a Rollout in parts. */
const isPatch = (object: KubeObject): boolean =>
  at(object, 'spec', 'selector') === undefined && at(object, 'spec', 'workloadRef') === undefined;

function patchOf(found: Found, changes: Changes): Omit<Told, 'object' | 'path' | 'line'> {
  const { object } = found;
  const { strategy, ...spec } = jsonOf(object['spec']);
  const to: KubeObject = { ...object, apiVersion: 'apps/v1', kind: 'Deployment', spec };
  changes.set(found, { kind: 'edit', to, text: '' });
  const text = 'is a patch of a Rollout, and becomes one of the Deployment';
  if (strategy === undefined) return { verdict: 'changes', text, notes: [] };
  const notes: Note[] = [
    {
      level: 'by-hand',
      path: found.path,
      line: found.lineOf('spec.strategy'),
      field: 'spec.strategy',
      text: 'what it says of the strategy goes: write it as a patch of the Canary',
    },
  ];
  return { verdict: 'changes', text, notes };
}

interface Templates {
  readonly find: (name: string, isClusters: boolean, namespace: string | undefined) => ConvertedTemplate | undefined;
  /** All of them, in the order of files. */
  readonly used: () => readonly (ConvertedTemplate & {
    /** A Canary uses it. */
    readonly isAsked: boolean;
  })[];
}

function createTemplates(all: readonly Found[]): Templates {
  const converted = new Map<Found, ConvertedTemplate>();
  const convert = (found: Found, namespace: string | undefined): ConvertedTemplate => {
    const known = converted.get(found) ?? convertTemplate(found, namespace);
    converted.set(found, known);
    return known;
  };
  const areTemplates = all.filter(
    ({ object }) => groupOf(object.apiVersion) === 'argoproj.io' && /^(?:Cluster)?AnalysisTemplate$/.test(object.kind),
  );
  return {
    find(name, isClusters, namespace) {
      const found = areTemplates.find(
        ({ object: { kind, metadata } }) =>
          metadata.name === name &&
          (isClusters
            ? kind === 'ClusterAnalysisTemplate'
            : kind === 'AnalysisTemplate' && metadata.namespace === namespace),
      );
      // One of the cluster goes to the namespace of the first who uses it.
      return found && convert(found, namespace);
    },
    used: () =>
      areTemplates.map((found) => ({
        isAsked: converted.has(found),
        ...convert(found, found.object.metadata.namespace),
      })),
  };
}

function refuse(
  found: Found,
  reason: string,
  changes: Changes,
  told: Map<Found, Omit<Told, 'object' | 'path' | 'line'>>,
): void {
  changes.delete(found);
  const { text = 'is to be changed', notes = [] } = told.get(found) ?? {};
  told.set(found, { verdict: 'by-hand', text: `${text}; this has to be written by hand: ${reason}`, notes });
}

/** Documents of several objects. */
function sharedDocuments(all: readonly Found[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const { path, document } of all) {
    const key = `${path} ${document}`;
    if (seen.has(key)) shared.add(key);
    seen.add(key);
  }
  return shared;
}

function toldOf(found: Found, given: Omit<Told, 'object' | 'path' | 'line'> | undefined, changes: Changes): Told {
  const change = changes.get(found);
  const { path, line, object } = found;
  const place = { object: refOf(object), path, line };
  if (given) return { ...place, ...given };
  if (change?.kind === 'replace') return { ...place, verdict: 'goes', text: 'goes: Serin makes it', notes: [] };
  if (change?.kind === 'edit') return { ...place, verdict: 'changes', text: change.text, notes: [] };
  const policy = imagePolicy(object);
  const verdict: Verdict = 'stays';
  return {
    ...place,
    verdict,
    text: policy === undefined ? 'is applied as it is' : `is applied as it is; ${policy}`,
    notes: [],
  };
}

/** Flux v1's annotations. */
function imagePolicy({ metadata: { annotations = {} } }: KubeObject): string | undefined {
  const of = (name: string): string | undefined =>
    annotations[`fluxcd.io/${name}`] ?? annotations[`flux.weave.works/${name}`];
  if (of('ignore') === 'true') return 'fluxcd.io/ignore keeps it from being applied';
  if (of('locked') === 'true') return 'fluxcd.io/locked keeps its images';
  return of('automated') === 'true'
    ? 'new tags that its policy takes become commits and releases: stop Flux v1 first, both would write'
    : undefined;
}

const kindLine = /^[ \t]*(?:- +)?kind: *["']?Rollout["']? *(?:#.*)?$/;

/** Where a Rollout is named by what is no object here: targets of patches, chart templates, other objects. */
function mentions(files: ReadonlyMap<string, string>, all: readonly Found[]): Note[] {
  const notes: Note[] = [];
  for (const [path, text] of files) {
    if (!text.includes('Rollout')) continue;
    const own = new Set(
      all.filter((found) => found.path === path && isRollout(found.object)).map((found) => found.lineOf('kind')),
    );
    const scalers = new Set(
      all
        .filter(
          (found) => found.path === path && textOf(at(found.object, 'spec', 'scaleTargetRef', 'kind')) === 'Rollout',
        )
        .map((found) => found.lineOf('spec.scaleTargetRef.kind')),
    );
    for (const [index, line] of text.split('\n').entries()) {
      if (line.length > 200 || !kindLine.test(line) || own.has(index + 1) || scalers.has(index + 1)) continue;
      const template = text.includes('{{')
        ? 'a chart’s template: write it as Deployment and Canary there'
        : 'names a Rollout: it is a Deployment from now on';
      notes.push({ level: 'by-hand', path, line: index + 1, text: template });
    }
  }
  return notes;
}

const fluxFiles = (files: ReadonlyMap<string, string>): Note[] =>
  [...files.keys()]
    .filter((path) => /(?:^|\/)\.flux\.yaml$/.test(path))
    .map((path) => ({
      level: 'by-hand',
      path,
      line: 1,
      text: 'commands of Flux v1 that generate manifests are not run: commit what they make, or use kustomizations',
    }));

const kustomizations = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** A file that is gone is no resource of its folder's kustomization any more. */
function withKustomizations(
  changed: readonly ChangedFile[],
  files: ReadonlyMap<string, string>,
): readonly ChangedFile[] {
  const edited = new Map<string, ChangedFile>();
  for (const { path, after } of changed) {
    if (after !== undefined) continue;
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    const name = path.slice(folder.length);
    const at = kustomizations.map((one) => `${folder}${one}`).find((one) => files.has(one));
    if (at === undefined) continue;
    const before = files.get(at) ?? '';
    const text = edited.get(at)?.after ?? before;
    const kustomization = jsonOf(writtenIn(text)?.[0]?.value);
    const resources = Array.isArray(kustomization['resources']) ? (kustomization['resources'] as unknown[]) : [];
    const isGone = (one: unknown): boolean => one === name || one === `./${name}`;
    if (!resources.some(isGone)) continue;
    const to = { ...kustomization, resources: resources.filter((one) => !isGone(one)) };
    const result = editDocument(text, 0, to);
    if (result.kind === 'edited') edited.set(at, { path: at, before, after: result.text });
  }
  return [...changed.filter(({ path }) => !edited.has(path)), ...edited.values()];
}
