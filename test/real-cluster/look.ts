import { until } from './command.ts';
import { type AppOptions, image } from './podinfo-app.ts';
import type { Stage } from './stage.ts';

const never = new AbortController().signal;

/** What a story wants to know of the cluster and of Git. */
export async function phase(stage: Stage, app: AppOptions, wanted: string, timeoutMs: number): Promise<void> {
  await status(stage, app, `the canary is ${wanted}`, timeoutMs, (now) => now.phase === wanted);
}

export interface CanaryState {
  readonly phase?: string;
  readonly canaryWeight?: number;
  readonly iterations?: number;
  readonly failedChecks?: number;
}

/** Waits for the status to be so; on failure tells how it is, and what happened. */
export async function status(
  stage: Stage,
  { namespace }: AppOptions,
  what: string,
  timeoutMs: number,
  isSo: (state: CanaryState) => boolean,
): Promise<void> {
  let seen: CanaryState = {};
  const look = async (): Promise<boolean> => {
    const canary = await stage.cluster.get(
      { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace, name: 'podinfo' },
      never,
    );
    seen = (canary?.['status'] ?? {}) as CanaryState;
    return isSo(seen);
  };
  await until(`${what} in ${namespace}`, timeoutMs, look, 200).catch(async (error: Error) => {
    const events = (await eventsOf(stage, namespace).catch(() => [])).slice(-20).join('\n');
    throw new Error(`${error.message}; it is ${JSON.stringify(seen)}\n${events}`);
  });
}

/** About the Canary, in the order in which they were first told. */
export async function eventsOf(stage: Stage, namespace: string): Promise<readonly string[]> {
  const fields = '{range .items[?(@.involvedObject.kind=="Canary")]}{.message}{"\\n"}{end}';
  const words = ['get', 'events', '--sort-by=.metadata.creationTimestamp', `--output=jsonpath=${fields}`];
  return (await stage.admin(['--namespace', namespace, ...words])).split('\n').filter(Boolean);
}

/** The agent's commits about the app with one verdict, newest first; waits for so many. */
export function commitsWith(
  stage: Stage,
  { namespace }: AppOptions,
  verdict: string,
  count = 1,
): Promise<readonly string[]> {
  return until(`Git tells ${count} times that ${namespace}/podinfo was ${verdict}`, 30_000, async () => {
    const format =
      '--format=%H %(trailers:key=Verdict,valueonly,separator=%x2C) %(trailers:key=Release,valueonly,separator=%x2C)';
    const lines = (await stage.git('log', format, 'main')).split('\n');
    const found = lines.filter((line) => line.slice(41).startsWith(`${verdict} ${namespace}/podinfo`));
    return found.length >= count && found.map((line) => line.slice(0, 40));
  });
}

export const messageOf = (stage: Stage, commit: string): Promise<string> =>
  stage.git('show', '--no-patch', '--format=%B', commit);

const deployment = async (stage: Stage, namespace: string, name: string): Promise<DeploymentSpec> => {
  const found = await stage.cluster.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name }, never);
  if (!found) throw new Error(`${namespace} has no Deployment ${name}`);
  return found['spec'] as DeploymentSpec;
};
interface DeploymentSpec {
  readonly replicas: number;
  readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
}
export const replicasOf = async (stage: Stage, namespace: string, name: string): Promise<number> =>
  (await deployment(stage, namespace, name)).replicas;
export const imageOf = async (stage: Stage, namespace: string, name: string): Promise<string | undefined> =>
  (await deployment(stage, namespace, name)).template.spec.containers[0]?.image;

/** Of the target; those of the primary have another label. */
export async function podsOf(stage: Stage, namespace: string): Promise<number> {
  const options = { namespace, labelSelector: 'app=podinfo' };
  return (await stage.cluster.list({ apiVersion: 'v1', kind: 'Pod' }, options, never)).length;
}

/** Of those that run. */
export async function podAddresses(stage: Stage, namespace: string, app: string): Promise<readonly string[]> {
  const options = { namespace, labelSelector: `app=${app}` };
  const pods = await stage.cluster.list({ apiVersion: 'v1', kind: 'Pod' }, options, never);
  return pods.flatMap(({ status: now }) => {
    const { podIP, phase: state } = (now ?? {}) as { podIP?: string; phase?: string };
    return podIP !== undefined && state === 'Running' ? [podIP] : [];
  });
}

interface Backend {
  readonly name: string;
  readonly weight?: number;
}

const routeKinds = {
  traefik: { apiVersion: 'traefik.io/v1alpha1', kind: 'TraefikService' },
  contour: { apiVersion: 'projectcontour.io/v1', kind: 'HTTPProxy' },
  'gatewayapi:v1': { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute' },
};

/** The split as it stands in the cluster: `podinfo-primary=75 podinfo-canary=25`. */
export async function weightsOf(stage: Stage, { namespace, way }: AppOptions): Promise<string> {
  const route = await stage.cluster.get({ ...routeKinds[way.provider], namespace, name: 'podinfo' }, never);
  const {
    weighted,
    rules = [],
    routes = [],
  } = (route?.['spec'] ?? {}) as {
    weighted?: { services: readonly Backend[] };
    rules?: readonly { backendRefs: readonly Backend[] }[];
    routes?: readonly { services: readonly Backend[] }[];
  };
  const backends =
    weighted?.services ??
    [...rules.map(({ backendRefs }) => backendRefs), ...routes.map(({ services }) => services)].flat();
  // Contour takes a weight that is not written for none beside one that is, the others for one.
  return backends.map(({ name, weight = way.provider === 'contour' ? 0 : 1 }) => `${name}=${weight}`).join(' ');
}

export async function pushVersion(stage: Stage, { namespace }: AppOptions, from: string, to: string): Promise<string> {
  const path = `${namespace}/deployment.yaml`;
  const text = await stage.file(path);
  return stage.push(`release podinfo ${to}`, { [path]: text.replace(image(from), image(to)) });
}
