import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { KnownFields } from '../../src/manifest/checks/fields.ts';
import { waveOf } from '../../src/manifest/order.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import { validateManifests } from '../../src/manifest/validate.ts';

const known = JSON.parse(
  readFileSync(new URL('../../fixtures/kubernetes/fields.json', import.meta.url), 'utf8'),
) as KnownFields;

const say = (text: string): string[] =>
  validateManifests(parseManifests('x.yaml', text).manifests, { known }).map(
    ({ line, message, severity }) => `${line} ${severity}: ${message}`,
  );

const deployment = (patch: (text: string) => string = (text) => text): string =>
  patch(`apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: default, labels: { app: web } }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: nginx
          env: [{ name: A, value: "1" }, { name: B, valueFrom: { fieldRef: { fieldPath: metadata.name } } }]
`);

describe('validateManifests', () => {
  it('has nothing to say of good objects', () => {
    const service =
      'apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: default }\nspec: { ports: [{ port: 80 }] }\n';
    const secret =
      'apiVersion: v1\nkind: Secret\nmetadata: { name: s, namespace: default }\ndata: { a: aGk= }\nstringData: { b: hi }\n';
    expect(say([deployment(), service, secret].join('---\n'))).toEqual([]);
  });

  it.each([
    [deployment((text) => text.replace('replicas: 2', 'replicas: two')), 'spec.replicas: "two" is no number of pods'],
    [
      deployment((text) => text.replace('matchLabels: { app: web }', 'matchLabels: { app: wob }')),
      'does not carry app: wob',
    ],
    [deployment((text) => text.replace('{ matchLabels: { app: web } }', '{}')), 'spec.selector: is missing or empty'],
    [
      deployment((text) => text.replace('image: nginx', 'image:')),
      'spec.template.spec.containers[0].image: is missing',
    ],
    // What YAML reads as something else is there, and is told as what it is.
    [
      deployment((text) => text.replace('image: nginx', 'image: 1.27')),
      'spec.template.spec.containers[0].image: must be text, not 1.27',
    ],
    [
      deployment((text) => text.replace('- name: web', '- name: n')),
      'spec.template.spec.containers[0].name: must be text, not false',
    ],
    [
      'apiVersion: v1\nkind: Service\nmetadata: { name: s, namespace: default }\nspec: { type: ExternalName, externalName: 5 }\n',
      'spec.externalName: must be text, not 5',
    ],
    [deployment((text) => text.replace('value: "1"', 'value: 1')), 'env[0].value: A must be text'],
    [deployment((text) => text.replace('containers:', 'contaners:')), 'there is no container'],
    [
      deployment((text) => text.replace('apps/v1', 'extensions/v1beta1')),
      'no present Kubernetes serves Deployment as extensions/v1beta1',
    ],
    [
      deployment((text) => text.replace('kind: Deployment', 'kind: Deploymnet')),
      'apps/v1 has no kind Deploymnet that we know',
    ],
    [deployment((text) => text.replace('name: web,', 'name: Web_1,')), 'metadata.name: "Web_1" is no valid name'],
    [
      deployment((text) => text.replace('labels: { app: web } }\nspec', 'labels: { app: "a b" } }\nspec')),
      '"a b" is no valid label value',
    ],
    [
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, namespace: default }\ndata: { port: 80 }\n',
      'data["port"]: must be text',
    ],
    [
      'apiVersion: v1\nkind: Secret\nmetadata: { name: a, namespace: default }\ndata: { a: "not base64" }\n',
      'data["a"]: is not base64',
    ],
    [
      'apiVersion: v1\nkind: Service\nmetadata: { name: a, namespace: default }\nspec: { ports: [{ port: 0 }] }\n',
      'spec.ports[0].port: 0 is no port number',
    ],
    [
      'apiVersion: v1\nkind: Service\nmetadata: { name: a, namespace: default }\nspec: { ports: [{ port: 1 }, { port: 2 }] }\n',
      'spec.ports[0].name: is missing',
    ],
    [
      'apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: a, namespace: default }\nspec: { scaleTargetRef: { kind: Deployment, name: a }, minReplicas: 3, maxReplicas: 2 }\n',
      'spec.minReplicas: 3 is more than maxReplicas, 2',
    ],
  ])('finds what is wrong %#', (text, what) => {
    expect(say(text).join('\n')).toContain(what);
  });

  it('warns once of a namespace that Git does not create', () => {
    const config = (name: string, namespace: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${namespace} }\n`;
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: known }\n';
    expect(say([config('a', 'known'), config('b', 'other'), config('c', 'other'), namespace].join('---\n'))).toEqual([
      '5 warning: ConfigMap other/b: Git does not create the namespace other',
    ]);
  });

  it('never shows the value of a Secret', () => {
    expect(
      say('apiVersion: v1\nkind: Secret\nmetadata: { name: a, namespace: default }\ndata: { a: "hunter2!" }\n').join(),
    ).not.toContain('hunter2');
  });

  it('joins further checks, by path and line', () => {
    const { manifests } = parseManifests('x.yaml', deployment());
    const found = validateManifests(manifests, {
      known,
      extra: [() => [{ severity: 'error', path: 'a.yaml', line: 1, message: 'mine' }]],
    });
    expect(found.map(({ message }) => message)).toEqual(['mine']);
  });
});

describe('waveOf', () => {
  it('puts what others need first and canaries last', () => {
    const kinds = [
      ['v1', 'Namespace'],
      ['apiextensions.k8s.io/v1', 'CustomResourceDefinition'],
      ['v1', 'ServiceAccount'],
      ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
      ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
      ['v1', 'ConfigMap'],
      ['v1', 'Service'],
      ['apps/v1', 'Deployment'],
      ['example.com/v1', 'Service'],
      ['autoscaling/v2', 'HorizontalPodAutoscaler'],
      ['gateway.networking.k8s.io/v1', 'HTTPRoute'],
      ['flagger.app/v1beta1', 'MetricTemplate'],
      ['flagger.app/v1beta1', 'Canary'],
    ] as const;
    const waves = kinds.map(([apiVersion, kind]) => waveOf({ apiVersion, kind }));
    expect(waves).toEqual([...waves].sort((a, b) => a - b));
    expect(new Set(waves).size).toBe(kinds.length);
  });
});

describe('a hostile manifest', () => {
  it('costs neither long nor much to say what is wrong with it', () => {
    const long = 'x'.repeat(200_000);
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`field${at}`, at]));
    const objects = [
      { apiVersion: 'apps/v1', kind: `Deployment${long}`, metadata: { name: 'a', namespace: 'default' } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'a', namespace: 'default' },
        spec: { [long]: 1, type: long },
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'a', namespace: 'default' },
        spec: { ...many, containers: [many] },
      },
      JSON.parse(
        '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b","namespace":"default"},"__proto__":{"a":1},"spec":{"constructor":1}}',
      ) as object,
    ];
    const before = process.cpuUsage();
    const said = objects.flatMap((object) => parseManifests('x.json', JSON.stringify(object)).manifests);
    const found = validateManifests(said, { known });
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(3_000);
    expect(found.length).toBeLessThan(60);
    for (const { message } of found) expect(message.length).toBeLessThanOrEqual(2_000);
    expect(found.map(({ message }) => message)).toContain('Pod default/b __proto__: is no field that Kubernetes knows');
  });
});
