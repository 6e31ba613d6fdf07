import { at, type Json, jsonOf, textOf } from '../lib/json.ts';
import type { KubeObject } from '../manifest/types.ts';

/** Values of Flagger's chart, and the settings of `serin run` that they are. */
const values: readonly (readonly [path: string, setting: string])[] = [
  ['meshProvider', 'mesh-provider'],
  ['metricsServer', 'metrics-server'],
  ['selectorLabels', 'selector-labels'],
  ['slack.url', 'slack-url'],
  ['slack.channel', 'slack-channel'],
  ['slack.user', 'slack-user'],
  ['slack.proxyUrl', 'slack-proxy-url'],
  ['msteams.url', 'msteams-url'],
  ['msteams.proxyUrl', 'msteams-proxy-url'],
  ['eventWebhook', 'event-webhook'],
  ['clusterName', 'cluster-name'],
  ['includeLabelPrefix', 'include-label-prefix'],
  ['ingressAnnotationsPrefix', 'ingress-annotations-prefix'],
  ['ingressClass', 'ingress-class'],
  ['namespace', 'namespace'],
  ['noCrossNamespaceRefs', 'no-cross-namespace-refs'],
];

/** Settings of `serin run` by name that a Flagger of these files has: of its Deployment's arguments, or of its chart's values. */
export function flaggerSettings(object: KubeObject): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const chartValues = jsonOf(at(object, 'spec', 'values'));
  for (const [path, setting] of values) {
    const value = at(chartValues, ...path.split('.'));
    if (typeof value === 'string' ? value !== '' : value === true) found.set(setting, String(value));
  }
  for (const container of containersOf(object))
    for (const argument of [container['command'], container['args']].flat()) {
      const [, name = '', value = 'true'] =
        /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(typeof argument === 'string' ? argument : '') ?? [];
      if (name !== '' && values.some(([, setting]) => setting === name)) found.set(name, value);
    }
  return found;
}

function containersOf(object: KubeObject): readonly Json[] {
  const containers = at(object, 'spec', 'template', 'spec', 'containers');
  return Array.isArray(containers) ? containers.map(jsonOf) : [];
}

/** The programs that a workload of these files runs, by the last part of their image, without tag. */
export function programsOf(object: KubeObject): readonly string[] {
  return containersOf(object).map(({ image }) => {
    const [reference = ''] = (textOf(image) ?? '').split('@');
    return (reference.split('/').at(-1) ?? '').split(':')[0] ?? '';
  });
}
