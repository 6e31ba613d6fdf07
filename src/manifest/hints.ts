import { own } from '../lib/own.ts';
import { perObject } from '../lib/memo.ts';
import type { KubeObject } from './types.ts';

/** What annotations of Helm, Argo CD, Flux and kustomize ask for. */
export interface Hints {
  /** Why the object is not applied: it is meant for a moment that does not come here. Undefined: it is applied. */
  readonly skip: string | undefined;
  /** What has no effect, or another one than in the tool that it was written for. */
  readonly told: readonly string[];
  /** It stays in the cluster when it is gone from Git. */
  readonly keep: boolean;
  /** It is made where it is missing, and then left to others. */
  readonly onlyIfAbsent: boolean;
  /** It is neither applied nor deleted. */
  readonly ignore: boolean;
  /** Where a field can only be set at creation, it may be deleted and made anew. */
  readonly mayRecreate: boolean;
}

type Annotated = Pick<KubeObject, 'metadata'>;

const helmHook = 'helm.sh/hook';
const argoHook = 'argocd.argoproj.io/hook';
const helmWeight = 'helm.sh/hook-weight';
const argoWave = 'argocd.argoproj.io/sync-wave';
const helmPolicy = 'helm.sh/resource-policy';
const argoOptions = 'argocd.argoproj.io/sync-options';
const fluxApply = 'kustomize.toolkit.fluxcd.io/ssa';
const fluxForce = 'kustomize.toolkit.fluxcd.io/force';
const localConfig = 'config.kubernetes.io/local-config';
const onDeletion = 'client.lifecycle.config.k8s.io/deletion';
const onRemove = 'cli-utils.sigs.k8s.io/on-remove';

/** The annotations that are looked at here. */
export const hintAnnotations: readonly string[] = [
  helmHook,
  argoHook,
  helmPolicy,
  argoOptions,
  fluxApply,
  fluxForce,
  localConfig,
  onDeletion,
  onRemove,
];

/** Hooks that run when something is taken away, goes wrong or is tried: never because the object stands in Git. */
const neverHere: Readonly<Record<string, ReadonlySet<string>>> = {
  [helmHook]: new Set([
    'pre-delete',
    'post-delete',
    'pre-rollback',
    'post-rollback',
    'test',
    'test-success',
    'test-failure',
  ]),
  [argoHook]: new Set(['skip', 'syncfail', 'predelete', 'postdelete']),
};
const tools: Readonly<Record<string, string>> = { [helmHook]: 'Helm', [argoHook]: 'Argo CD' };
const fluxPolicies = new Set(['Override', 'Merge', 'IfNotPresent', 'Ignore']);

export const hintsOf: (object: KubeObject) => Hints = perObject((object: KubeObject) => read(object));

/** When a hook is applied that is one of those which come here, and its weight: the lighter first. Undefined: with others of its kind. */
export function hookMoment({
  metadata: { annotations = {} },
}: Annotated): { readonly when: 'before' | 'after'; readonly weight: number } | undefined {
  const [helm, argo] = [helmHook, argoHook].map((key) =>
    Object.hasOwn(annotations, key) ? String(annotations[key]).slice(0, 200).toLowerCase() : '',
  ) as [string, string];
  if (helm === '' && argo === '') return undefined;
  const when =
    /\bpre-(?:install|upgrade)\b/.test(helm) || /\bpresync\b/.test(argo)
      ? 'before'
      : /\bpost-(?:install|upgrade)\b/.test(helm) || /\bpostsync\b/.test(argo)
        ? 'after'
        : undefined;
  const weight = Number(annotations[helm === '' ? argoWave : helmWeight] ?? 0);
  return when && { when, weight: Number.isFinite(weight) ? weight : 0 };
}

const applied = (when: 'before' | 'after' | undefined): string =>
  when === undefined
    ? 'it is applied like any other object, at no moment of its own'
    : `it is applied ${when} all else, whenever it changes, and nothing waits until it is done`;

/** As `hintsOf` of an object of the cluster. */
export function readHints({ metadata }: Annotated): Hints {
  return read({ metadata });
}

function read({ metadata }: Annotated): Hints {
  const annotations = metadata.annotations ?? {};
  const valuesOf = (key: string): readonly string[] =>
    (Object.hasOwn(annotations, key) ? String(annotations[key]) : '')
      .split(/[,\n]/, 50)
      .map((value) => value.trim())
      .filter((value) => value !== '');
  const told: string[] = [];
  let skip: string | undefined;
  for (const key of [helmHook, argoHook]) {
    const moments = valuesOf(key);
    if (moments.length === 0) continue;
    const what = `is a hook of ${own(tools, key) ?? ''} (${shown(moments.join(', '))})`;
    if (moments.every((moment) => own(neverHere, key)?.has(moment.toLowerCase())))
      skip ??= `${what}: it is not applied`;
    else told.push(`${what}: ${applied(hookMoment({ metadata })?.when)}`);
  }
  const local = valuesOf(localConfig);
  if (local.length > 0 && local[0] !== 'false') skip ??= `is for tools only (${localConfig}): it is not applied`;
  const [policy] = valuesOf(fluxApply);
  if (policy !== undefined && !fluxPolicies.has(policy)) told.push(`${fluxApply}: ${shown(policy)} is unknown`);
  const options = new Set(valuesOf(argoOptions).map((option) => option.toLowerCase().replaceAll(/\s/g, '')));
  const isForced = options.has('force=true');
  for (const option of ['replace=true', 'serversideapply=false', 'validate=false'])
    if (options.has(option)) told.push(`${argoOptions} ${option}: it has no effect, objects are applied server-side`);
  const keep =
    valuesOf(helmPolicy).includes('keep') ||
    ['prune=false', 'prune=confirm', 'delete=false', 'delete=confirm'].some((option) => options.has(option)) ||
    valuesOf(onDeletion).includes('detach') ||
    valuesOf(onRemove).includes('keep');
  return {
    skip,
    told: skip === undefined ? told : [],
    keep,
    onlyIfAbsent: policy === 'IfNotPresent',
    ignore: policy === 'Ignore',
    mayRecreate: isForced || ['enabled', 'true'].includes(valuesOf(fluxForce)[0] ?? ''),
  };
}

const shown = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
