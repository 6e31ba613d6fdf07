import { until } from './command.ts';
import { type AppOptions, image } from './podinfo-app.ts';
import type { Stage } from './stage.ts';

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
  let seen = '';
  const look = async (): Promise<boolean> => {
    seen = await stage.admin(['--namespace', namespace, 'get', 'canary/podinfo', '--output=jsonpath={.status}']);
    return isSo(JSON.parse(seen || '{}') as CanaryState);
  };
  await until(`${what} in ${namespace}`, timeoutMs, look, 250).catch(async (error: Error) => {
    const events = (await eventsOf(stage, namespace).catch(() => [])).slice(-20).join('\n');
    throw new Error(`${error.message}; it is ${seen}\n${events}`);
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

export const ofDeployment = (stage: Stage, namespace: string, name: string, path: string): Promise<string> =>
  stage.admin(['--namespace', namespace, 'get', `deployment/${name}`, `--output=jsonpath=${path}`]);
export const imageOf = (stage: Stage, namespace: string, name: string): Promise<string> =>
  ofDeployment(stage, namespace, name, '{.spec.template.spec.containers[0].image}');

/** The split as it stands in the cluster: `podinfo-primary=75 podinfo-canary=25`. */
export async function weightsOf(stage: Stage, { namespace, provider }: AppOptions): Promise<string> {
  const [object, list] =
    provider === 'traefik'
      ? ['traefikservice/podinfo', '.spec.weighted.services[*]']
      : ['httproute/podinfo', '.spec.rules[*].backendRefs[*]'];
  const path = `{range ${list}}{.name}={.weight}{" "}{end}`;
  return (await stage.admin(['--namespace', namespace, 'get', object, `--output=jsonpath=${path}`])).trim();
}

export async function pushVersion(stage: Stage, { namespace }: AppOptions, from: string, to: string): Promise<string> {
  const path = `${namespace}/deployment.yaml`;
  const text = await stage.file(path);
  return stage.push(`release podinfo ${to}`, { [path]: text.replace(image(from), image(to)) });
}
