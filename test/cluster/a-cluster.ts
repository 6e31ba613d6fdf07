import { afterEach } from 'vitest';
import { type ClusterClient, openCluster } from '../../src/cluster/client.ts';
import type { Change, KindRef, ReflectOptions, Reflection } from '../../src/cluster/cluster.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import type { Sandbox } from '../../src/sandbox/types.ts';
import { fastClock } from '../helpers/fast-clock.ts';

export const configMapKind: KindRef = { apiVersion: 'v1', kind: 'ConfigMap' };

export const aConfigMap = (name: string, data: Record<string, string> = { a: '1' }): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});

/** Every namespace has one, as in a real cluster. */
const isOurs = ({ metadata }: KubeObject): boolean => metadata.name !== 'kube-root-ca.crt';

export const ours = (view: Reflection): KubeObject[] => view.list().filter(isOurs);

/** Names of a view's objects with one of their values: `a=1`. */
export const shown = (view: Reflection): string[] =>
  ours(view)
    .map(({ metadata, data }) => `${metadata.name}=${(data as { a?: string } | undefined)?.a ?? ''}`)
    .toSorted();

export interface ClusterFixture {
  readonly sandbox: Sandbox;
  readonly client: ClusterClient;
  readonly signal: AbortSignal;
  /** A second client, as somebody else. */
  readonly other: ClusterClient;
  readonly reflect: (kind?: KindRef, options?: ReflectOptions) => Watched;
}

interface Watched {
  readonly view: Reflection;
  /** `added a`, in the order of arrival. */
  readonly changes: string[];
}

/** An embedded cluster and clients that time runs 20 times as fast for; all ends with the test. */
export function useCluster(): (clock?: Clock) => Promise<ClusterFixture> {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  return async (clock = fastClock(20)) => {
    const sandbox = await startSandbox();
    ends.push(() => sandbox.stop());
    const open = async (): Promise<ClusterClient> => {
      const client = await openCluster({ kind: 'text', text: sandbox.kubeconfig }, { clock, log: silentLogger });
      ends.push(() => client.close());
      return client;
    };
    const [client, other] = [await open(), await open()];
    const stop = new AbortController();
    ends.push(() => Promise.resolve(stop.abort(new Error('the test is over'))));
    const reflect = (kind = configMapKind, options: ReflectOptions = { namespace: 'default' }): Watched => {
      const view = client.reflect(kind, options, stop.signal);
      const changes: string[] = [];
      view.onChange(({ kind: what, object }: Change) => {
        if (isOurs(object)) changes.push(`${what} ${object.metadata.name}`);
      });
      return { view, changes };
    };
    return { sandbox, client, other, signal: stop.signal, reflect };
  };
}

export const widgetDefinition: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.test' },
  spec: {
    group: 'example.test',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};
export const widgetKind: KindRef = { apiVersion: 'example.test/v1', kind: 'Widget' };
export const aWidget = (name: string): KubeObject => ({ ...widgetKind, metadata: { name, namespace: 'default' } });
