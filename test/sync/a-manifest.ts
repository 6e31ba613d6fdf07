import type { KubeObject, Manifest, ObjectRef } from '../../src/manifest/types.ts';

/** `Kind namespace/name` or `Kind name`. */
export function anObject(text: string, extra: Record<string, unknown> = {}): KubeObject {
  const [kind = '', place = ''] = text.split(' ');
  const [namespace, name] = place.includes('/') ? place.split('/') : [undefined, place];
  const { metadata, ...rest } = extra as { metadata?: object };
  return {
    apiVersion: apiVersions[kind] ?? 'v1',
    kind,
    metadata: { name: name ?? '', ...(namespace === undefined ? {} : { namespace }), ...metadata },
    ...rest,
  };
}

const apiVersions: Readonly<Record<string, string>> = {
  Deployment: 'apps/v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
  CustomResourceDefinition: 'apiextensions.k8s.io/v1',
  Canary: 'flagger.app/v1beta1',
  MetricTemplate: 'flagger.app/v1beta1',
  Widget: 'example.test/v1',
};

export const aManifest = (text: string, extra: Record<string, unknown> = {}, path = 'apps/all.yaml'): Manifest => ({
  object: anObject(text, extra),
  origin: { renderer: 'plain', path, document: 0, line: 1 },
});

export const named = ({ kind, namespace, name }: ObjectRef): string =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;

export const aConfigMap = (name: string, data: Record<string, string>, path?: string): Manifest =>
  aManifest(`ConfigMap test/${name}`, { data }, path);

/** A small Deployment that the embedded cluster can run. */
export const aDeployment = (
  name: string,
  replicas: number | undefined,
  image = 'stefanprodan/podinfo:6.0.0',
): Manifest =>
  aManifest(`Deployment test/${name}`, {
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image }] },
      },
    },
  });
