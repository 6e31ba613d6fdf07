import type { LoadSettings, Rendering } from '../manifest/load.ts';
import { type KubeObject, type Manifest } from '../manifest/types.ts';
import { shownOrigin } from '../lib/http/shown-url.ts';
import { type ArgoApplication, type ArgoSource, readApplication } from './argo-application.ts';
import { isSameRepositoryUrl } from './same-url.ts';

export interface ArgoRoots extends ArgoApplication {
  /** Why one of its sources is not this repository. Undefined: all are, or are charts. */
  readonly elsewhere: string | undefined;
}

/** An Application, and whether it is of this repository. A text says why it cannot be followed. */
export function argoRoots(manifest: Manifest, settings: LoadSettings): ArgoRoots | string {
  const application = readApplication(manifest);
  if (typeof application === 'string') return application;
  const named = application.sources.flatMap((source) => [
    ...(source.chart === undefined ? [source] : []),
    ...source.lent.values(),
  ]);
  const reasons = named.flatMap((source) => whyElsewhere(source, settings) ?? []);
  return { ...application, elsewhere: reasons[0] };
}

/** Why a source is not what is followed here. Undefined: it is, as far as can be told. */
export function whyElsewhere(
  { url, revision }: Pick<ArgoSource, 'url' | 'revision'>,
  { repositoryUrl, repositoryBranch }: LoadSettings,
): string | undefined {
  if (repositoryUrl !== undefined && !isSameRepositoryUrl(url, repositoryUrl))
    return `its source is another repository, ${shownOrigin(url)}: name it as a source in the settings`;
  const branch = revision?.replace(/^refs\/heads\//, '');
  if (branch === undefined || branch === 'HEAD') return undefined;
  const isOther =
    repositoryBranch === undefined
      ? /^(?:[0-9a-f]{7,64}|refs\/tags\/.*|v?\d+\.\d+.*)$/.test(branch)
      : branch !== repositoryBranch;
  return isOther
    ? `its source is another revision, ${branch.slice(0, 100)}: only the branch that is followed is rendered`
    : undefined;
}

interface RenderedSource {
  readonly path: string;
  readonly source: ArgoSource;
  readonly rendering: Rendering;
}

/** One for each rendering and namespace, so that what did not change is the same object. */
const withNamespaces = new WeakMap<Rendering, Map<string, Rendering>>();

/** What makes the namespaces that Applications ask for and nobody else brings, by path: each stands before what is rendered. */
export function ownNamespaces(
  rendered: readonly RenderedSource[],
  objects: readonly Manifest[],
): ReadonlyMap<string, Rendering> {
  const known = new Set(
    objects.flatMap(({ object }) =>
      object.kind === 'Namespace' && object.apiVersion === 'v1' ? [object.metadata.name] : [],
    ),
  );
  const result = new Map<string, Rendering>();
  for (const { path, source, rendering } of rendered) {
    const { namespace, made } = source.destination;
    if (!made || namespace === undefined || known.has(namespace) || ['default', 'kube-system'].includes(namespace))
      continue;
    known.add(namespace);
    const labels = Object.entries(made.labels);
    const isBare = labels.length === 0 && Object.keys(made.annotations).length === 0;
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: namespace,
        ...(labels.length === 0 ? {} : { labels: made.labels as Record<string, string> }),
        annotations: {
          ...(made.annotations as Record<string, string>),
          // It goes with nobody: others may live in it by then.
          'serin.dev/prune': 'disabled',
          ...(isBare ? { 'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent' } : {}),
        },
      },
    };
    result.set(path, withNamespace(rendering, { object, manifest: source.manifest, path }));
  }
  return result;
}

function withNamespace(
  rendering: Rendering,
  { object, manifest, path }: { readonly object: KubeObject; readonly manifest: Manifest; readonly path: string },
): Rendering {
  const key = JSON.stringify([object, path, manifest.origin.path, manifest.origin.line]);
  const known = withNamespaces.get(rendering) ?? new Map<string, Rendering>();
  withNamespaces.set(rendering, known);
  const before = known.get(key);
  if (before) return before;
  const { line } = manifest.origin;
  const origin = {
    renderer: 'kustomize' as const,
    path: manifest.origin.path,
    line,
    document: undefined,
    namespace: undefined,
    unit: path,
  };
  const { parsed } = rendering;
  const next = {
    ...rendering,
    placed: undefined,
    parsed: { ...parsed, manifests: [{ object, origin }, ...parsed.manifests] },
  };
  known.clear();
  known.set(key, next);
  return next;
}
