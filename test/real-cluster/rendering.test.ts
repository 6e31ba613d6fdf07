import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uniqueName } from '../contract/cluster-under-test.ts';
import { helmProgram } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { until } from './command.ts';
import { setStage, type Stage } from './stage.ts';

const { env } = process;
/** Needs the API alone; our own script has started the cluster. */
const kubeconfigPath = env.SERIN_TEST_INSIDE === '1' ? env.KUBECONFIG : undefined;
const isLeftOut = kubeconfigPath === undefined || helmProgram === undefined || kustomizeProgram === undefined;

const config = (name: string, data: string, annotations = ''): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}${annotations === '' ? '' : `, annotations: { ${annotations} }`} }\ndata: { ${data} }\n`;
const asked = [
  'version: {{ .Capabilities.KubeVersion.Version | quote }}',
  'minor: {{ .Capabilities.KubeVersion.Minor | quote }}',
  'canaries: {{ .Capabilities.APIVersions.Has "flagger.app/v1beta1/Canary" | quote }}',
  'group: {{ .Capabilities.APIVersions.Has "flagger.app/v1beta1" | quote }}',
  'autoscaling: {{ .Capabilities.APIVersions.Has "autoscaling/v2" | quote }}',
  'nothing: {{ .Capabilities.APIVersions.Has "example.org/v1/Thing" | quote }}',
].join(', ');

describe.skipIf(isLeftOut)('a chart on a real API server', () => {
  const namespace = uniqueName('chart');
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage(kubeconfigPath ?? '');
  });
  afterAll(async () => {
    if (!stage) return;
    await stage.admin(['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=80s']);
    await stage.close();
  });
  const configOf = async (name: string): Promise<Record<string, string> | undefined> => {
    const found = await stage.cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name }, never);
    return found?.['data'] as Record<string, string> | undefined;
  };
  const never = new AbortController().signal;

  it('is rendered for the version and the kinds of that server, with its hooks in their order and without its tests', async () => {
    const hook = (moment: string, weight: string): string =>
      config(`{{ .Release.Name }}-${moment}`, 'a: b', `helm.sh/hook: ${moment}, helm.sh/hook-weight: "${weight}"`);
    await stage.push('a chart, as a HelmRelease and in a kustomization', {
      'namespace.yaml': `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${namespace} }\n`,
      'charts/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\nkubeVersion: ">=1.30.0-0"\n',
      'charts/web/templates/asked.yaml': config('{{ .Release.Name }}', asked),
      'charts/web/templates/hooks.yaml': [
        hook('post-install', '0'),
        hook('pre-install', '1'),
        hook('test', '0'),
        hook('pre-delete', '0'),
      ].join('---\n'),
      'release.yaml': `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: web, namespace: ${namespace} }\nspec:\n  chart: { spec: { chart: ./cluster/charts/web, sourceRef: { kind: GitRepository, name: x } } }\n`,
      'kustomized/kustomization.yaml': `namespace: ${namespace}\nhelmGlobals: { chartHome: . }\nhelmCharts:\n- { name: web, releaseName: kustomized, namespace: ${namespace}, skipHooks: true }\n`,
      'kustomized/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\n',
      'kustomized/web/values.yaml': '{}\n',
      'kustomized/web/templates/asked.yaml': config(
        `{{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}`,
        asked,
      ).replace(/metadata: \{ name: (.*)\n(.*) \}/, 'metadata:\n  name: $1\n$2'),
    });
    const { gitVersion, minor } = JSON.parse(await stage.admin(['get', '--raw', '/version'])) as {
      gitVersion: string;
      minor: string;
    };
    const expected = {
      version: gitVersion,
      minor,
      canaries: 'true',
      group: 'true',
      autoscaling: 'true',
      nothing: 'false',
    };
    expect(await until('the chart of the HelmRelease', 60_000, () => configOf('web'))).toEqual(expected);
    expect(await until('the chart of the kustomization', 60_000, () => configOf('kustomized'))).toEqual(expected);
    await until('its last hook', 30_000, () => configOf('web-post-install'));
    const versionOf = async (name: string): Promise<number> =>
      Number(
        await stage.admin(['-n', namespace, 'get', 'configmap', name, '-o', 'jsonpath={.metadata.resourceVersion}']),
      );
    const inOrder = await Promise.all(['web-pre-install', 'web', 'web-post-install'].map(versionOf));
    expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
    expect([await configOf('web-test'), await configOf('web-pre-delete')]).toEqual([undefined, undefined]);
    for (const line of [
      `web-pre-install is a hook of Helm (pre-install): it is applied before all else`,
      `web-post-install is a hook of Helm (post-install): it is applied after all else`,
    ])
      expect(stage.agent.log().split(line).length - 1, line).toBe(1);
  });
});
