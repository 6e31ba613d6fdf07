import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { until } from './command.ts';
import { type AppOptions, image, podinfoApp } from './podinfo-app.ts';
import type { Stage } from './stage.ts';
import { countOf, failedOf, startTraffic, type Traffic } from './traffic.ts';

const frontDoor = 'http://traefik.traefik/';

/** The app's life from its first commit: a good version is promoted, a failing one is rolled back, with traffic all the time. */
export async function tellStory(stage: Stage, app: AppOptions): Promise<void> {
  const files = podinfoApp(app);
  const first = await stage.push(
    `add podinfo to ${app.namespace}`,
    Object.fromEntries(Object.entries(files).map(([name, text]) => [`${app.namespace}/${name}`, text])),
  );
  await phase(stage, app, 'Initialized', 90_000);
  await expectLedgerOf(stage, app, first);
  const traffic = await openedTraffic(app);
  try {
    await promote(stage, app, traffic);
    await rollBack(stage, app, traffic);
  } finally {
    await traffic.stop();
  }
}

async function promote(stage: Stage, app: AppOptions, traffic: Traffic): Promise<void> {
  const { namespace } = app;
  const startedMs = Date.now();
  const pushed = await pushVersion(stage, app, '3.1.0', '3.1.1');
  await phase(stage, app, 'Succeeded', 120_000);
  const [outcome = ''] = await commitsWith(stage, app, 'promoted');
  expect(await imageOf(stage, namespace, 'podinfo-primary')).toBe(image('3.1.1'));

  const message = await stage.git('show', '--no-patch', '--format=%B', outcome);
  expect(message).toMatch(new RegExp(`^promote ${namespace}/podinfo 3\\.1\\.1`));
  expect(message).toContain(`Revision: ${pushed}`);
  expect(await stage.git('show', '--format=', '--name-only', outcome)).toBe(
    `cluster/.releases/${namespace}/podinfo.yaml\n`,
  );
  expect(await stage.file(`.releases/${namespace}/podinfo.yaml`)).toContain('podinfo:3.1.1');
  const tags = await stage.git(
    'for-each-ref',
    '--format=%(objecttype) %(*objectname)',
    `refs/tags/releases/${namespace}/podinfo/`,
  );
  expect(tags).toBe(`tag ${pushed}\n`);

  const table = await stage.admin(['--namespace', namespace, 'get', 'canaries']);
  expect(table).toMatch(
    /^NAME +STATUS +WEIGHT +LASTTRANSITIONTIME\npodinfo +Succeeded +0 +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/,
  );

  const answers = traffic.between(startedMs, Date.now());
  expect(failedOf(answers)).toEqual([]);
  expect(countOf(answers, '3.1.0')).toBeGreaterThan(0);
  expect(countOf(answers, '3.1.1')).toBeGreaterThan(0);
}

async function rollBack(stage: Stage, app: AppOptions, traffic: Traffic): Promise<void> {
  const { namespace } = app;
  const path = `${namespace}/deployment.yaml`;
  const good = await stage.file(path);
  const startedMs = Date.now();
  const pushed = await pushVersion(stage, app, '3.1.1', '3.1.2');
  await phase(stage, app, 'Failed', 120_000);
  const failedMs = Date.now();
  expect(countOf(traffic.between(startedMs, failedMs), '3.1.2')).toBeGreaterThan(0);

  const [outcome = ''] = await commitsWith(stage, app, 'rolled-back');
  const message = await stage.git('show', '--no-patch', '--format=%B', outcome);
  expect(message).toMatch(new RegExp(`^rollback ${namespace}/podinfo 3\\.1\\.2: .*success.rate`));
  expect(message).toContain(`Reverts: ${pushed}`);
  expect(await stage.file(path)).toBe(good);
  const ledger = await stage.file(`.releases/${namespace}/podinfo.yaml`);
  expect(ledger.slice(ledger.indexOf('quarantine'))).toContain('podinfo:3.1.2');

  // The revert is applied, and starts nothing.
  await until('the target runs the good version again', 30_000, async () => {
    return (await imageOf(stage, namespace, 'podinfo')) === image('3.1.1');
  });
  expect(await imageOf(stage, namespace, 'podinfo-primary')).toBe(image('3.1.1'));
  expect(await weightsOf(stage, app)).toMatch(/^podinfo-primary=100( podinfo-canary=0)?$/);
  expect(await ofDeployment(stage, namespace, 'podinfo', '{.spec.replicas}')).toBe('0');
  const words = ['--namespace', namespace, 'get', 'events', '--output=jsonpath={.items[*].message}'];
  expect(await stage.admin(words)).toContain(`Rolling back podinfo.${namespace} failed checks threshold reached 5`);
  await pause(6_000);
  // Traefik takes up a new route after half a second; from then on nobody meets the failing version.
  const after = traffic.between(failedMs + 1_000, Date.now());
  expect(failedOf(after)).toEqual([]);
  expect(after.map(({ version }) => version)).toEqual(['3.1.1']);
  expect(countOf(after, '3.1.1')).toBeGreaterThan(100);
  const canary = await stage.admin(['--namespace', namespace, 'get', 'canary/podinfo', '--no-headers']);
  expect(canary).toMatch(/^podinfo +Failed +0 /);
  expect(await commitsWith(stage, app, 'promoted')).toHaveLength(1);
  expect(await commitsWith(stage, app, 'rolled-back')).toHaveLength(1);
  expect(await stage.git('fsck', '--strict')).toBe('');
}

async function pushVersion(stage: Stage, { namespace }: AppOptions, from: string, to: string): Promise<string> {
  const path = `${namespace}/deployment.yaml`;
  const text = await stage.file(path);
  return stage.push(`release podinfo ${to}`, { [path]: text.replace(image(from), image(to)) });
}

async function phase(stage: Stage, { namespace }: AppOptions, wanted: string, timeoutMs: number): Promise<void> {
  let seen = '';
  const ask = async (): Promise<boolean> => {
    const words = ['--namespace', namespace, 'get', 'canary/podinfo', '--output=jsonpath={.status.phase}'];
    seen = await stage.admin(words);
    return seen === wanted;
  };
  await until(`the canary of ${namespace} is ${wanted}`, timeoutMs, ask).catch((error: Error) => {
    throw new Error(`${error.message}; it is "${seen}"`);
  });
}

/** The agent's commits about the app with one verdict, newest first; waits for the first. */
function commitsWith(stage: Stage, { namespace }: AppOptions, verdict: string): Promise<readonly string[]> {
  return until(`Git tells that ${namespace}/podinfo was ${verdict}`, 30_000, async () => {
    const format =
      '--format=%H %(trailers:key=Verdict,valueonly,separator=%x2C) %(trailers:key=Release,valueonly,separator=%x2C)';
    const lines = (await stage.git('log', format, 'main')).split('\n');
    const found = lines.filter((line) => line.slice(41).startsWith(`${verdict} ${namespace}/podinfo`));
    return found.length > 0 && found.map((line) => line.slice(0, 40));
  });
}

async function expectLedgerOf(stage: Stage, { namespace }: AppOptions, revision: string): Promise<void> {
  const ledger = await until('the first state is in the ledger', 30_000, () =>
    stage.file(`.releases/${namespace}/podinfo.yaml`),
  );
  expect(ledger).toContain(revision);
  expect(ledger).toContain('podinfo:3.1.0');
}

const ofDeployment = (stage: Stage, namespace: string, name: string, path: string): Promise<string> =>
  stage.admin(['--namespace', namespace, 'get', `deployment/${name}`, `--output=jsonpath=${path}`]);
const imageOf = (stage: Stage, namespace: string, name: string): Promise<string> =>
  ofDeployment(stage, namespace, name, '{.spec.template.spec.containers[0].image}');

/** The split as it stands in the cluster: `podinfo-primary=75 podinfo-canary=25`. */
async function weightsOf(stage: Stage, { namespace, provider }: AppOptions): Promise<string> {
  const [object, list] =
    provider === 'traefik'
      ? ['traefikservice/podinfo', '.spec.weighted.services[*]']
      : ['httproute/podinfo', '.spec.rules[*].backendRefs[*]'];
  const path = `{range ${list}}{.name}={.weight}{" "}{end}`;
  return (await stage.admin(['--namespace', namespace, 'get', object, `--output=jsonpath=${path}`])).trim();
}

/** Starts when the way through the front door is open; what comes before is nobody's request. */
async function openedTraffic({ host }: AppOptions): Promise<Traffic> {
  const traffic = startTraffic(frontDoor, host);
  await until('the front door leads to the app', 30_000, async () => {
    const sinceMs = Date.now();
    await pause(1_500);
    const answers = traffic.between(sinceMs, Date.now());
    return answers.length > 0 && failedOf(answers).length === 0;
  });
  return traffic;
}
