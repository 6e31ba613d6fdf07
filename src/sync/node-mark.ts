import { at, jsonOf } from '../lib/json.ts';
import { scaleToZeroKey } from '../canary/targets/daemonset.ts';
import type { KubeObject } from '../manifest/types.ts';

/** A DaemonSet from Git for this version of the live one, with the mark by which its canary keeps it at zero. */
export function withMarkOf(live: KubeObject, object: KubeObject): KubeObject {
  const { resourceVersion } = live.metadata;
  const versioned = resourceVersion === undefined ? object : withVersion(object, resourceVersion);
  const mark = at(live, 'spec', 'template', 'spec', 'nodeSelector', scaleToZeroKey);
  if (mark === undefined) return versioned;
  const spec = jsonOf(object['spec']);
  const template = jsonOf(spec['template']);
  const podSpec = jsonOf(template['spec']);
  const nodeSelector = { ...jsonOf(podSpec['nodeSelector']), [scaleToZeroKey]: mark };
  return { ...versioned, spec: { ...spec, template: { ...template, spec: { ...podSpec, nodeSelector } } } };
}

function withVersion(object: KubeObject, resourceVersion: string): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}
