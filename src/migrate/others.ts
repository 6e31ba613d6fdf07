import { at, textOf } from '../lib/json.ts';
import { own } from '../lib/own.ts';
import { groupOf, type KubeObject } from '../manifest/types.ts';
import { flaggerSettings, programsOf } from './flagger.ts';
import type { Found, Note, Verdict } from './types.ts';

export interface Said {
  readonly verdict: Verdict;
  readonly text: string;
  /** Commands that a person gives before Serin starts, so that no two write the same. */
  readonly before?: readonly string[];
  /** Settings of `serin run`. */
  readonly settings?: ReadonlyMap<string, string>;
  readonly notes?: readonly Omit<Note, 'path' | 'line'>[];
}

/** What becomes of an object of Flux, Flagger, Argo CD or their like. Undefined: it is none of these, and is applied as it is. */
export function saidOf({ object }: Found): Said | undefined {
  const { kind, apiVersion, metadata } = object;
  const group = groupOf(apiVersion);
  const { name, namespace = 'flux-system' } = metadata;
  const ns = `-n ${namespace}`;
  switch (`${group}/${kind}`) {
    case 'flagger.app/Canary':
      return { verdict: 'stays', text: 'is followed as it is', ...canaryNotes(object) };
    case 'flagger.app/MetricTemplate':
    case 'flagger.app/AlertProvider':
      return { verdict: 'stays', text: 'is used as it is' };
    case 'kustomize.toolkit.fluxcd.io/Kustomization':
      return {
        verdict: 'stays',
        text: 'describes what is applied: Serin renders its path itself, and does not apply the object',
        before: [`flux suspend kustomization ${name} ${ns}`],
      };
    case 'helm.toolkit.fluxcd.io/HelmRelease':
      return helmRelease(object, [`flux suspend helmrelease ${name} ${ns}`]);
    case 'helm.fluxcd.io/HelmRelease':
    case 'flux.weave.works/HelmRelease':
    case 'flux.weave.works/FluxHelmRelease':
      return helmRelease(object, []);
    case 'source.toolkit.fluxcd.io/GitRepository':
      return {
        verdict: 'stays',
        text: 'is known again where it is this repository, and is not applied; another repository is a source of its own in the settings',
      };
    case 'source.toolkit.fluxcd.io/HelmRepository':
    case 'source.toolkit.fluxcd.io/OCIRepository':
    case 'source.toolkit.fluxcd.io/HelmChart':
      return { verdict: 'stays', text: 'says where charts come from, with --remote-charts, and is not applied' };
    case 'source.toolkit.fluxcd.io/Bucket':
      return { verdict: 'by-hand', text: 'is not followed: what it holds has to come into Git' };
    case 'image.toolkit.fluxcd.io/ImageRepository':
    case 'image.toolkit.fluxcd.io/ImagePolicy':
      return { verdict: 'stays', text: 'is read from Git, as Flux does; the cluster need not know it' };
    case 'image.toolkit.fluxcd.io/ImageUpdateAutomation':
      return imageAutomation(object, `flux suspend image update ${name} ${ns}`);
    case 'notification.toolkit.fluxcd.io/Alert':
    case 'notification.toolkit.fluxcd.io/Provider':
      return {
        verdict: 'by-hand',
        text: 'tells of what Flux does, and has nothing to tell any more: write an AlertProvider, or --slack-url and --event-webhook',
      };
    case 'notification.toolkit.fluxcd.io/Receiver':
      return {
        verdict: 'by-hand',
        text: 'makes Flux look sooner. Serin polls Git each few seconds; for registries there are --hook-port and --hook-token-file',
      };
    case 'argoproj.io/Application':
    case 'argoproj.io/ApplicationSet':
      return {
        verdict: 'stays',
        text: 'describes what is applied: Serin renders its source itself; see "From Argo CD" for what of it counts',
        before: [
          `kubectl ${`-n ${metadata.namespace ?? 'argocd'}`} patch ${kind.toLowerCase()} ${name} --type merge -p '${kind === 'Application' ? '{"spec":{"syncPolicy":{}}}' : '{"spec":{"syncPolicy":{"applicationsSync":"create-only"}}}'}'`,
        ],
      };
    case 'argoproj.io/AppProject':
      return { verdict: 'unused', text: 'bounds nobody here: bound teams by tenants in the settings' };
    case 'argoproj.io/AnalysisRun':
    case 'argoproj.io/Experiment':
      return { verdict: 'by-hand', text: 'is made by Argo Rollouts, or for it: take it out of Git' };
    default:
      return workload(object);
  }
}

function canaryNotes(object: KubeObject): Pick<Said, 'notes'> {
  if (textOf(at(object, 'spec', 'provider')) !== undefined) return {};
  return {
    notes: [
      {
        level: 'told',
        field: 'spec.provider',
        text: 'names no provider: that of --mesh-provider is taken, which is kubernetes here, and istio with Flagger. Give Serin the value that Flagger has',
      },
    ],
  };
}

function helmRelease(object: KubeObject, before: readonly string[]): Said {
  const { name, namespace } = object.metadata;
  const charts = [
    at(object, 'spec', 'chart', 'spec', 'chart'),
    at(object, 'spec', 'chart', 'name'),
    at(object, 'spec', 'chart'),
  ];
  const chart = charts.map((one) => textOf(one)?.split('/').at(-1)).find((one) => one !== undefined) ?? '';
  if (chart === 'flagger')
    return {
      verdict: 'by-hand',
      text: 'installs Flagger: take it out of Git once Serin runs, and keep its definitions, or all Canaries go with them',
      before: [...before, `kubectl ${ofNamespace(namespace)}scale deployment ${name} --replicas=0`],
      settings: flaggerSettings(object),
    };
  if (chart === 'loadtester')
    return {
      verdict: 'stays',
      text: 'installs Flagger’s load tester, which goes on working; `serin loadtester` answers at the same address without a shell',
      before,
    };
  if (chart === 'argo-rollouts')
    return {
      verdict: 'by-hand',
      text: 'installs Argo Rollouts: take it out of Git when the last Rollout is gone',
      before,
    };
  return {
    verdict: 'stays',
    text: 'describes a chart: Serin renders it with the same values and applies what comes of it; Helm’s own history is not written any more',
    before,
  };
}

const ofNamespace = (namespace: string | undefined): string => (namespace === undefined ? '' : `-n ${namespace} `);

const takeOver = 'serin.dev/image-updates';

function imageAutomation(object: KubeObject, suspend: string): Said {
  const { annotations = {} } = object.metadata;
  if (annotations[takeOver] === 'true') return { verdict: 'stays', text: 'is done by Serin', before: [suspend] };
  return {
    verdict: 'by-hand',
    text: `Flux goes on writing tags, and Serin leaves it to that. To hand it over, suspend it and annotate it with ${takeOver}: "true": then each new tag is a release that is judged`,
  };
}

/** Programs that would work against Serin while they run. */
const controllers: Readonly<Record<string, readonly [what: string, verb: string]>> = {
  flagger: ['Flagger', 'keeps the same Canaries'],
  flux: ['Flux v1', 'applies the same folder, and writes tags to Git'],
  'helm-operator': ['the Helm Operator', 'applies the same charts'],
  'kustomize-controller': ['Flux', 'applies the same Kustomizations'],
  'helm-controller': ['Flux', 'applies the same charts'],
  'image-automation-controller': ['Flux', 'writes tags to Git'],
  'argo-rollouts': ['Argo Rollouts', 'writes the selectors of the same Services'],
};

function workload(object: KubeObject): Said | undefined {
  if (object.kind !== 'Deployment') return undefined;
  const programs = programsOf(object);
  const [program] = programs.filter((one) => Object.hasOwn(controllers, one));
  if (program === undefined) {
    if (!programs.includes('flagger-loadtester')) return undefined;
    return {
      verdict: 'stays',
      text: 'is Flagger’s load tester, which goes on working; `serin loadtester` answers at the same address without a shell',
    };
  }
  const [what, verb] = own(controllers, program) ?? ['', ''];
  const { name, namespace } = object.metadata;
  return {
    verdict: 'by-hand',
    text: `runs ${what}, which ${verb}: stop it before Serin starts, and take it out of Git (Serin would start it again)`,
    before: [`kubectl ${ofNamespace(namespace)}scale deployment ${name} --replicas=0`],
    ...(program === 'flagger' ? { settings: flaggerSettings(object) } : {}),
  };
}
