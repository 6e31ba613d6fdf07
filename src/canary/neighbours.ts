import { namespacedName } from '../lib/key.ts';
import { perObject } from '../lib/memo.ts';
import { groupOf, type KubeObject, type Manifest } from '../manifest/types.ts';
import type { App } from './app.ts';
import { at, type Json, jsonOf, listOf, textOf, textsOf } from '../lib/json.ts';
import { pairsOf, selects } from './label-selector.ts';
import type { SelectorLabel } from './labels.ts';
import { spreadFromPrimary } from './primary-spread.ts';
import { targets } from './targets/registry.ts';

/** An object that selects pods of a target, and finds none of them, or others, as soon as the primary has the users. */
interface Neighbour {
  readonly manifest: Manifest;
  readonly field: string;
  readonly message: string;
  readonly hint: string;
}

/** One selector of an object. */
interface Reach {
  readonly field: string;
  /** `matchLabels` and `matchExpressions`. */
  readonly selector: Json;
  /** Namespace of what is selected; undefined: any. */
  readonly namespace: string | undefined;
  /** What it selects by their labels. */
  readonly what: 'pods' | 'services';
  /** It knows labels, and no expressions. */
  readonly isPlain?: boolean;
}

interface Entry {
  readonly manifest: Manifest;
  readonly reach: Reach;
}

/** In place of a pair of labels: what selects Services. */
const monitored = '/services';

const kindOfReach = ({ manifest, reach }: Entry): string =>
  `${manifest.object.kind} ${reach.field.replace(/\d+/g, '')}`;

/** Asks for neighbours of one app after the other. */
export interface Neighbourhood {
  of(app: App, serviceName: string): readonly Neighbour[];
}

/** Istio's policies of this namespace are for all of them. */
const meshRoot = 'istio-system';

export function neighbourhoodOf(manifests: readonly Manifest[], selectorLabels: readonly string[]): Neighbourhood {
  const services = new Map<string, KubeObject>();
  let hasMonitors = false;
  const places = new Map<string, Entry[]>();
  const selecting = (namespace: string, pair: string): readonly Entry[] =>
    [namespace, undefined].flatMap((where) => places.get(placeOf(where, pair)) ?? []);
  for (const manifest of manifests) {
    if (isService(manifest.object)) services.set(serviceKey(manifest.object.metadata), manifest.object);
    for (const reach of reachesOf(manifest.object)) {
      const entry = { manifest, reach };
      for (const pair of new Set(pairsOf(reach.selector))) {
        const place = placeOf(reach.namespace, reach.what === 'pods' ? pair : `${monitored} ${pair}`);
        const found = places.get(place);
        if (found) found.push(entry);
        else places.set(place, [entry]);
      }
      hasMonitors ||= reach.what === 'services';
    }
  }
  return {
    of(app, serviceName) {
      const { target, id } = app;
      const selector = target && targets[app.targetKind].selectorOf(target.object, selectorLabels);
      if (!target || !selector || selector.label === '') return [];
      const pods = podsOf(target.object, selector);
      // Target and primary differ in one label: whatever selects one of them only, speaks of it.
      const near = (value: string): ReadonlySet<Entry> =>
        new Set([`${selector.label}=${value}`, ''].flatMap((pair) => selecting(id.namespace, pair)));
      const selectsOnly = (labels: Pods['target'], others: Pods['target'], { reach }: Entry): boolean =>
        selects(reach.selector, labels) && !selects(reach.selector, others);
      // Whoever has made another one for the primary's pods knows of them.
      const forPrimary = [...near(`${selector.value}-primary`)].filter((entry) =>
        selectsOnly(pods.primary, pods.target, entry),
      );
      const covered = new Set(forPrimary.map(kindOfReach));
      const found = [...near(selector.value)]
        .filter(({ manifest: { object } }) => object !== target.object && !isGenerated(object, serviceName))
        .filter((entry) => selectsOnly(pods.target, pods.primary, entry) && !covered.has(kindOfReach(entry)))
        .map(({ manifest, reach }) => toldOf(manifest, reach, target.object, selector));
      const monitors = hasMonitors ? monitorsOf(app, serviceName, selector) : [];
      return [...found, ...monitors, ...ownTerms(target, selector, pods)];
    },
  };

  /** What watches the users' Service, and does not see that of the canary. */
  function monitorsOf(app: App, serviceName: string, { label }: SelectorLabel): readonly Neighbour[] {
    const { namespace } = app.id;
    const apex = services.get(serviceKey({ namespace, name: serviceName }));
    const custom = (role: string) => textsOf(at(app.canary.object, 'spec', 'service', role, 'labels'));
    const users = apex?.metadata.labels ?? { ...custom('apex'), [label]: serviceName };
    const canary = { ...custom('canary'), [label]: `${serviceName}-canary` };
    const pairs = [...Object.entries(users).map((pair) => pair.join('=')), ''];
    const monitors = new Set(pairs.flatMap((pair) => selecting(namespace, `${monitored} ${pair}`)));
    return [...monitors]
      .filter(({ reach }) => selects(reach.selector, users) && !selects(reach.selector, canary))
      .map(({ manifest, reach }) => ({
        manifest,
        field: reach.field,
        message: `selects the Service ${serviceName}, but not ${serviceName}-canary: a new version has no metrics while it is judged`,
        hint: 'give spec.service.canary.labels of the Canary what it selects by, or use a PodMonitor',
      }));
  }
}

const isService = ({ apiVersion, kind }: KubeObject): boolean => apiVersion === 'v1' && kind === 'Service';
const serviceKey = namespacedName;
const placeOf = (namespace: string | undefined, pair: string): string => `${namespace ?? '*'} ${pair}`;

interface Pods {
  readonly target: Readonly<Record<string, string>>;
  readonly primary: Readonly<Record<string, string>>;
}

function podsOf(target: KubeObject, { label, value }: SelectorLabel): Pods {
  const labels = textsOf(at(target, 'spec', 'template', 'metadata', 'labels'));
  return { target: labels, primary: { ...labels, [label]: `${value}-primary` } };
}

function isGenerated(object: KubeObject, serviceName: string): boolean {
  return isService(object) && object.metadata.name.replace(/-(?:primary|canary)$/, '') === serviceName;
}

function toldOf(manifest: Manifest, reach: Reach, target: KubeObject, { label, value }: SelectorLabel): Neighbour {
  return {
    manifest,
    field: reach.field,
    message:
      `selects the pods of ${target.kind} ${target.metadata.name} by ${label}=${value}; as soon as its Canary is initialised, ` +
      `users are answered by pods with ${label}=${value}-primary, which it does not select`,
    hint:
      reach.isPlain === true
        ? `select by a label that both have, or by ${label}=${value}-primary`
        : `select both, by another label or with the expression ${label} in (${value}, ${value}-primary)`,
  };
}

/** Terms of the target itself that name its own pods, and say something else in the primary. */
function ownTerms(target: Manifest, selector: SelectorLabel, pods: Pods): readonly Neighbour[] {
  const { object } = target;
  if (reachesOf(object).length === 0) return [];
  const copied: KubeObject = {
    ...object,
    spec: {
      template: { spec: spreadFromPrimary(at(object, 'spec', 'template', 'spec'), object.metadata.name, selector) },
    },
  };
  const inPrimary = termsOf(copied, 'spec.template.spec');
  return termsOf(object, 'spec.template.spec').flatMap((term, index): readonly Neighbour[] => {
    if (!selects(term.selector, pods.target) || selects(inPrimary[index]?.selector, pods.primary)) return [];
    const { label, value } = selector;
    return [
      {
        manifest: target,
        field: term.field,
        message:
          `names its own pods by ${label}=${value}, and is copied to the primary, whose pods have ${label}=${value}-primary: ` +
          'at rest there is no pod that it names',
        hint: 'name them by another label',
      },
    ];
  });
}

const reachesOf = perObject((object: KubeObject): readonly Reach[] => {
  const { apiVersion, kind, metadata } = object;
  const { namespace } = metadata;
  const spec = jsonOf(object['spec']);
  const one = (path: readonly string[], selector: unknown, where: string | undefined = namespace): readonly Reach[] =>
    selector === undefined
      ? []
      : [{ field: path.join('.'), selector: jsonOf(selector), namespace: where, what: 'pods' }];
  const within = (...path: readonly string[]): readonly Reach[] => one(['spec', ...path], at(spec, ...path));
  /** Older kinds name labels only, without `matchLabels`. */
  const byLabels = (where: string | undefined, ...path: readonly string[]): readonly Reach[] => {
    const matchLabels = at(spec, ...path);
    return matchLabels === undefined
      ? []
      : one(['spec', ...path], { matchLabels }, where).map((reach) => ({ ...reach, isPlain: true }));
  };
  switch (groupOf(apiVersion)) {
    case '':
      return kind === 'Service' && !isOwned(object)
        ? byLabels(namespace, 'selector')
        : kind === 'Pod'
          ? termsOf(object, 'spec')
          : [];
    case 'policy':
      return kind === 'PodDisruptionBudget' ? within('selector') : [];
    case 'networking.k8s.io':
      return kind === 'NetworkPolicy' ? [...within('podSelector'), ...peersOf(spec, namespace)] : [];
    case 'cilium.io':
      return kind === 'CiliumNetworkPolicy' ? within('endpointSelector') : [];
    case 'monitoring.coreos.com': {
      const what = kind === 'ServiceMonitor' ? 'services' : kind === 'PodMonitor' ? 'pods' : undefined;
      if (what === undefined) return [];
      return namespacesOf(spec, namespace).flatMap((where) =>
        one(['spec', 'selector'], spec['selector'], where).map((reach) => ({ ...reach, namespace: where, what })),
      );
    }
    case 'policy.linkerd.io':
      return kind === 'Server' ? within('podSelector') : [];
    case 'security.istio.io':
    case 'telemetry.istio.io':
    case 'extensions.istio.io':
    case 'networking.istio.io': {
      const where = namespace === meshRoot ? undefined : namespace;
      const found = [
        // A Gateway names the gateway's pods, the others `matchLabels`.
        ...(kind === 'Gateway' ? byLabels(undefined, 'selector') : one(['spec', 'selector'], spec['selector'], where)),
        ...byLabels(where, 'workloadSelector', 'labels'),
        ...(at(spec, 'workloadSelector', 'matchLabels') === undefined ? [] : within('workloadSelector')),
      ];
      return where === undefined ? found.map((reach) => ({ ...reach, namespace: undefined })) : found;
    }
    case 'apps':
      return termsOf(object, 'spec.template.spec');
    case 'batch':
      return termsOf(object, kind === 'CronJob' ? 'spec.jobTemplate.spec.template.spec' : 'spec.template.spec');
    default:
      return [];
  }
});

/** Generated Services that were exported from a cluster. */
const isOwned = (object: KubeObject): boolean => (object.metadata.ownerReferences ?? []).length > 0;

function namespacesOf(spec: Json, own: string | undefined): readonly (string | undefined)[] {
  const { any, matchNames } = jsonOf(spec['namespaceSelector']);
  if (any === true) return [undefined];
  return Array.isArray(matchNames) && matchNames.length > 0 ? matchNames.map(String) : [own];
}

const sides = { egress: 'to', ingress: `from` } as const;

/** Who may come in, and where pods may go. */
function peersOf(spec: Json, namespace: string | undefined): readonly Reach[] {
  return (['ingress', 'egress'] as const).flatMap((list) =>
    listOf(spec[list]).flatMap((rule, ruleIndex) => {
      const side = sides[list];
      return listOf(rule[side]).flatMap(({ podSelector, namespaceSelector }, index): readonly Reach[] => {
        if (podSelector === undefined) return [];
        const named = textOf(at(namespaceSelector, 'matchLabels', 'kubernetes.io/metadata.name'));
        // Whoever names namespaces by other labels may mean this one.
        const where = namespaceSelector === undefined ? namespace : named;
        const field = `spec.${list}[${ruleIndex}].${side}[${index}].podSelector`;
        return [{ field, selector: jsonOf(podSelector), namespace: where, what: 'pods' }];
      });
    }),
  );
}

/** Terms by which a pod wants to be near others, or away from them. */
function termsOf(object: KubeObject, place: string): readonly Reach[] {
  const spec = jsonOf(at(object, ...place.split('.')));
  const { namespace } = object.metadata;
  const found: Reach[] = [];
  const take = (term: Json, field: string): void => {
    // Terms for other namespaces are rare, and about others.
    if (term['labelSelector'] === undefined || Array.isArray(term['namespaces'])) return;
    found.push({ field: `${field}.labelSelector`, selector: jsonOf(term['labelSelector']), namespace, what: 'pods' });
  };
  listOf(spec['topologySpreadConstraints']).forEach((term, index) =>
    take(term, `${place}.topologySpreadConstraints[${index}]`),
  );
  for (const name of ['podAffinity', 'podAntiAffinity']) {
    const affinity = at(spec, 'affinity', name);
    const field = `${place}.affinity.${name}`;
    const [required, preferred] = [
      'requiredDuringSchedulingIgnoredDuringExecution',
      'preferredDuringSchedulingIgnoredDuringExecution',
    ] as const;
    listOf(at(affinity, required)).forEach((term, index) => take(term, `${field}.${required}[${index}]`));
    listOf(at(affinity, preferred)).forEach((term, index) =>
      take(jsonOf(term['podAffinityTerm']), `${field}.${preferred}[${index}].podAffinityTerm`),
    );
  }
  return found;
}
