import { type AppKey, keyOf } from '../lib/key.ts';
import { perObject } from '../lib/memo.ts';
import type { LoadedTree } from '../manifest/load.ts';
import type { KubeObject, Manifest, ObjectRef, Problem } from '../manifest/types.ts';
import { refOf } from '../manifest/types.ts';
import { at, jsonOf, listOf, textOf } from '../lib/json.ts';
import { footprintOf, isCanary } from './footprint.ts';
import { isRoute, leadsTo, rulesOf } from './shared-route.ts';

export interface FoundRouteSettings {
  readonly defaultNamespace: string;
  /** Of Canaries that name none. */
  readonly provider: string;
}

/**
 * The same manifests, in which each Canary of Gateway API that names neither a route of its users nor Gateways for one of its own names the
 * one route of its namespace that leads to its Service. Those of which none does, or several do, stay as they are. `before`: manifests of
 * the commit before; the route that a Canary had there is kept while it still leads to the app.
 */
export function withFoundRoutes(
  manifests: readonly Manifest[],
  settings: FoundRouteSettings,
  before: readonly Manifest[] = [],
): readonly Manifest[] {
  const seekers = manifests.filter(({ object }) => seeksRoute(object, settings.provider));
  if (seekers.length === 0) return manifests;
  const routes = routesByNamespace(manifests, settings.defaultNamespace);
  const standing = new Map(before.filter(({ object }) => isCanary(object)).map((one) => [idOf(one, settings), one]));
  const found = new Map(
    seekers.flatMap((manifest) => {
      const leading = routesOf(manifest.object, routes, settings.defaultNamespace);
      const known = textOf(at(standing.get(idOf(manifest, settings))?.object, 'spec', 'service', 'routeRef', 'name'));
      const kept = leading.find(({ metadata }) => metadata.name === known);
      const route = leading.length === 1 ? leading[0] : kept;
      return route ? [[manifest, naming(manifest)(refOf(route))] as const] : [];
    }),
  );
  return found.size === 0 ? manifests : manifests.map((manifest) => found.get(manifest) ?? manifest);
}

/**
 * The same of a whole tree. A Canary of which several routes may be meant is left out of it, as if its file could not be read: what stands of it
 * stays, and so does the route that it had.
 */
export function treeWithFoundRoutes<Tree extends Pick<LoadedTree, 'manifests' | 'unreadablePaths' | 'problems'>>(
  tree: Tree,
  settings: FoundRouteSettings,
  before?: readonly Manifest[],
): Tree {
  const manifests = withFoundRoutes(tree.manifests, settings, before);
  const routesOf = routeFinder(manifests, settings);
  const unclear = new Map(
    manifests.flatMap((manifest) => {
      const routes = routesOf(manifest.object) ?? [];
      return routes.length > 1 ? [[manifest, routes] as const] : [];
    }),
  );
  if (unclear.size === 0) return manifests === tree.manifests ? tree : { ...tree, manifests };
  const problems = [...unclear].map(([manifest, routes]): Problem => {
    const { path, line } = manifest.origin;
    const { message, hint } = unclearFinding(routes);
    const what = `Canary ${idOf(manifest, settings)}`;
    return {
      severity: 'error',
      path,
      line,
      message: `${what} ${routeField}: ${message}; what stands of it stays`,
      hint,
    };
  });
  return {
    ...tree,
    manifests: manifests.filter((manifest) => !unclear.has(manifest)),
    unreadablePaths: new Set([...tree.unreadablePaths, ...problems.map(({ path }) => path)]),
    problems: [...tree.problems, ...problems],
  };
}

export const routeField = 'spec.service.routeRef';

/** Said of a Canary to whose app these routes lead. */
export function unclearFinding(routes: readonly KubeObject[]): { readonly message: string; readonly hint: string } {
  const named = routes.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join(', ');
  return {
    message: `is missing, and several routes lead to the app: ${named}`,
    hint: 'name the one by which users come in',
  };
}

/** Tells of a Canary which routes lead to its app. Undefined: it names one, or makes its own. */
export function routeFinder(
  manifests: readonly Manifest[],
  settings: FoundRouteSettings,
): (canary: KubeObject) => readonly KubeObject[] | undefined {
  let routes: Routes | undefined;
  return (canary) =>
    seeksRoute(canary, settings.provider)
      ? routesOf(
          canary,
          (routes ??= routesByNamespace(manifests, settings.defaultNamespace)),
          settings.defaultNamespace,
        )
      : undefined;
}

function seeksRoute(object: KubeObject, fallback: string): boolean {
  if (!isCanary(object)) return false;
  const provider = textOf(at(object, 'spec', 'provider')) ?? fallback;
  const { routeRef, gatewayRefs } = jsonOf(at(object, 'spec', 'service'));
  return /^gatewayapi(:|$)/.test(provider) && (routeRef ?? undefined) === undefined && listOf(gatewayRefs).length === 0;
}

type Routes = ReadonlyMap<string, readonly KubeObject[]>;

function routesByNamespace(manifests: readonly Manifest[], defaultNamespace: string): Routes {
  const found = new Map<string, KubeObject[]>();
  for (const { object } of manifests) {
    if (!isRoute(object)) continue;
    const namespace = object.metadata.namespace ?? defaultNamespace;
    const known = found.get(namespace);
    if (known) known.push(object);
    else found.set(namespace, [object]);
  }
  return found;
}

function routesOf(canary: KubeObject, routes: Routes, defaultNamespace: string): readonly KubeObject[] {
  const { serviceName: name } = footprintOf(canary);
  const namespace = canary.metadata.namespace ?? defaultNamespace;
  if (name === undefined) return [];
  return (routes.get(namespace) ?? []).filter((route) => leadsTo(rulesOf(route), { namespace, name }));
}

function idOf({ object: { metadata } }: Manifest, { defaultNamespace }: FoundRouteSettings): AppKey {
  return keyOf({ namespace: metadata.namespace ?? defaultNamespace, name: metadata.name });
}

/** The same manifest for the same route: what is looked at once is not looked at again. */
const naming = perObject((manifest: Manifest) => {
  const known = new Map<string, Manifest>();
  return ({ apiVersion, kind, name }: ObjectRef): Manifest => {
    const key = `${apiVersion} ${kind} ${name}`;
    const { object } = manifest;
    const spec = jsonOf(object['spec']);
    const service = { ...jsonOf(spec['service']), routeRef: { apiVersion, kind, name } };
    const made = known.get(key) ?? { ...manifest, object: { ...object, spec: { ...spec, service } } };
    known.set(key, made);
    return made;
  };
});
