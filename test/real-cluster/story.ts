import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { until } from './command.ts';
import { type Answer, between, burst, type Door, doorOf, failedOf, type Load, shareOf, startLoad } from './load.ts';
import {
  commitsWith,
  eventsOf,
  imageOf,
  messageOf,
  podsOf,
  replicasOf,
  phase,
  pushVersion,
  status,
  weightsOf,
} from './look.ts';
import { type AppOptions, configYaml, image, podinfoApp, requestMetrics } from './podinfo-app.ts';
import type { Stage } from './stage.ts';

/** Pods of a busy machine take their time. */
export const patienceMs = 120_000;
/** Traefik takes up a new route after half a second. */
const routedMs = 1_000;

/** One rule, or two where users are told apart. */
const allHome = /^podinfo-primary=100( podinfo-(canary=0|primary=100))*$/;

/** A hook that lets steps pass one by one, so that what stands between them can be looked at. */
export const stepGate = (stage: Stage, { namespace }: AppOptions, type: string): string => `    webhooks:
      - name: step
        type: ${type}
        url: ${stage.hooks.url(namespace)}
`;

export interface Opened {
  readonly door: Door;
  readonly load: Load;
}

/** The app's first commit, until users are served. */
export async function open(
  stage: Stage,
  app: AppOptions,
  users?: readonly Readonly<Record<string, string>>[],
): Promise<Opened> {
  const { namespace } = app;
  const files = Object.entries(podinfoApp(app)).map(([name, text]) => [`${namespace}/${name}`, text] as const);
  await stage.push(`add podinfo to ${namespace}`, Object.fromEntries(files));
  await phase(stage, app, 'Initialized', patienceMs);
  const ledger = await until('the first state is in the ledger', 30_000, () =>
    stage.file(`.releases/${namespace}/podinfo.yaml`),
  );
  expect(ledger).toContain('podinfo:3.1.0');
  const door = await doorOf(app.way.url, app.host);
  await until('the front door leads to the app', 30_000, async () => failedOf(await burst(door, 32)).length === 0);
  return { door, load: startLoad(door, users) };
}

const weights = [5, 25, 50, 80];
/** Envoy draws by lot: of so many, three points are four times what half of them deviate by. */
const manyAnswers = 4_000;

/** Weights that are what they say, a promotion without a lost request, and a rollback. */
export async function tellWeighted(stage: Stage, plain: AppOptions): Promise<void> {
  const { namespace } = plain;
  const analysis = `    threshold: 5\n    stepWeights: [${weights.join(', ')}]\n${requestMetrics}${stepGate(stage, plain, 'confirm-traffic-increase')}`;
  const app = { ...plain, analysis };
  const { door, load } = await open(stage, app);
  try {
    const startedMs = Date.now();
    const pushed = await pushVersion(stage, app, '3.1.0', '3.1.1');
    const answers: Answer[] = [];
    for (const weight of weights) {
      stage.hooks.allow(namespace, 1);
      await status(
        stage,
        app,
        `${weight}% are on the canary`,
        patienceMs,
        ({ canaryWeight }) => canaryWeight === weight,
      );
      await routed(door, (met) => Math.abs(shareOf(met, '3.1.1') - weight) <= 10);
      const met = await burst(door, manyAnswers);
      expect(Math.abs(shareOf(met, '3.1.1') - weight), `share at ${weight}%`).toBeLessThanOrEqual(3);
      answers.push(...met);
    }
    stage.hooks.allow(namespace, 1_000);
    await expectPromoted(stage, app, '3.1.1', pushed);
    await expectNothingLost(stage, app, [...load.answers, ...answers]);
    expect(between(load.answers, startedMs, Date.now()).some(({ version }) => version === '3.1.0')).toBe(true);
    await tellRollback(stage, app, load);
  } finally {
    await load.stop();
  }
}

async function tellRollback(stage: Stage, app: AppOptions, load: Load): Promise<void> {
  const { namespace } = app;
  const path = `${namespace}/deployment.yaml`;
  const good = await stage.file(path);
  const pushed = await pushVersion(stage, app, '3.1.1', '3.1.2');
  await phase(stage, app, 'Failed', patienceMs);
  const failedMs = Date.now();
  expect(load.answers.some(({ version, status: code }) => version === '3.1.2' && code === '500')).toBe(true);
  const [outcome = ''] = await commitsWith(stage, app, 'rolled-back');
  const message = await messageOf(stage, outcome);
  expect(message).toMatch(new RegExp(`^rollback ${namespace}/podinfo 3\\.1\\.2: .*success.rate`));
  await expectSameApp(stage, namespace, pushed, trailerOf(message, 'Reverts'));
  expect(await stage.file(path)).toBe(good);
  const ledger = await stage.file(`.releases/${namespace}/podinfo.yaml`);
  expect(ledger.slice(ledger.indexOf('quarantine'))).toContain('podinfo:3.1.2');
  // The revert is applied, and starts nothing.
  await until('the target runs the good version again', 30_000, async () => {
    return (await imageOf(stage, namespace, 'podinfo')) === image('3.1.1');
  });
  expect(await imageOf(stage, namespace, 'podinfo-primary')).toBe(image('3.1.1'));
  expect(await weightsOf(stage, app)).toMatch(allHome);
  expect(await replicasOf(stage, namespace, 'podinfo')).toBe(0);
  expect(await eventsOf(stage, namespace)).toContain(
    `Rolling back podinfo.${namespace} failed checks threshold reached 5`,
  );
  await pause(4_000);
  const after = between(load.answers, failedMs, Date.now());
  expect(failedOf(after)).toEqual([]);
  expect(new Set(after.map(({ version }) => version))).toEqual(new Set(['3.1.1']));
  await phase(stage, app, 'Failed', 1_000);
  expect(await commitsWith(stage, app, 'promoted')).toHaveLength(1);
  expect(await commitsWith(stage, app, 'rolled-back')).toHaveLength(1);
}

const insider = { 'x-user': 'insider' };
const cookieHolder = { cookie: 'theme=dark; canary=always' };

/** Only those under test meet the new version, and they meet nothing else. */
export async function tellAbTest(stage: Stage, plain: AppOptions): Promise<void> {
  const match = `    match:
      - headers:
          x-user:
            exact: insider
      - headers:
          cookie:
            regex: "^(.*?;)?\\\\s*(canary=always)(;.*)?$"
`;
  const analysis = `    threshold: 5\n    iterations: 3\n${match}${requestMetrics}${stepGate(stage, plain, 'confirm-promotion')}`;
  const app = { ...plain, analysis, isTestedByUsers: true };
  const { door, load } = await open(stage, app, [{}, insider, cookieHolder]);
  try {
    const pushed = await pushVersion(stage, app, '3.1.0', '3.1.1');
    await phase(stage, app, 'WaitingPromotion', patienceMs);
    await routed(door, (met) => shareOf(met, '3.1.1') === 100, insider);
    const tested = [...(await burst(door, 1_000, insider)), ...(await burst(door, 1_000, cookieHolder))];
    const others = [
      ...(await burst(door, 1_000)),
      ...(await burst(door, 1_000, { cookie: 'theme=dark; canary=never' })),
    ];
    expect(shareOf(tested, '3.1.1')).toBe(100);
    expect(shareOf(others, '3.1.0')).toBe(100);
    stage.hooks.allow(app.namespace, 1);
    await expectPromoted(stage, app, '3.1.1', pushed);
    await expectNothingLost(stage, app, [...load.answers, ...tested, ...others]);
  } finally {
    await load.stop();
  }
}

/** Checked without users, then all of them change at once. */
export async function tellBlueGreen(stage: Stage, plain: AppOptions): Promise<void> {
  const { namespace } = plain;
  const analysis = `    threshold: 5\n    iterations: 3\n${stepGate(stage, plain, 'rollout')}`;
  const app = { ...plain, analysis };
  let checks = 0;
  stage.hooks.check(namespace, async () => {
    const answer = await fetch(`http://podinfo-canary.${namespace}/`);
    if (answer.ok && answer.headers.get('x-version') === '3.1.1') checks += 1;
    return answer.ok;
  });
  const { load } = await open(stage, app);
  try {
    const pushed = await pushVersion(stage, app, '3.1.0', '3.1.1');
    await status(stage, app, 'its last round has begun', patienceMs, ({ iterations = 0 }) => iterations >= 3);
    expect(new Set(load.answers.map(({ version }) => version))).toEqual(new Set(['3.1.0']));
    await expectPromoted(stage, app, '3.1.1', pushed);
    expect(checks).toBeGreaterThanOrEqual(3);
    await expectNothingLost(stage, app, load.answers);
  } finally {
    await load.stop();
  }
}

/** A changed ConfigMap is a release too; people let it in, and let it through, by the agent's own gate. */
export async function tellConfigByHand(stage: Stage, plain: AppOptions): Promise<void> {
  const { namespace } = plain;
  const gate = (type: string): string =>
    `      - name: ${type}\n        type: ${type}\n        url: http://serin.serin/gate/check\n`;
  const analysis = `    threshold: 5\n    stepWeights: [50]\n${requestMetrics}    webhooks:\n${gate('confirm-rollout')}${gate('confirm-promotion')}`;
  const app = { ...plain, analysis, hasConfig: true };
  const turn = (state: 'open' | 'closed'): Promise<string> =>
    stage.admin(['--namespace', namespace, 'annotate', '--overwrite', 'canary/podinfo', `serin.dev/gate=${state}`]);
  const { door, load } = await open(stage, app);
  try {
    const pushed = await stage.push('greet politely', {
      [`${namespace}/config.yaml`]: configYaml(namespace, 'good-day'),
    });
    await phase(stage, app, 'Waiting', patienceMs);
    expect(await replicasOf(stage, namespace, 'podinfo')).toBe(0);
    await turn('open');
    await phase(stage, app, 'Progressing', patienceMs);
    await turn('closed');
    await phase(stage, app, 'WaitingPromotion', patienceMs);
    expect(await weightsOf(stage, app)).toBe('podinfo-primary=50 podinfo-canary=50');
    await turn('open');
    await expectPromoted(stage, app, '3.1.0', pushed, /^promote \S+ \(ConfigMap podinfo-settings\)/);
    const answer = await fetch(`http://podinfo-primary.${namespace}/`);
    expect(await answer.json()).toMatchObject({ message: 'good-day' });
    expect(failedOf(await burst(door, 64))).toEqual([]);
    await expectNothingLost(stage, app, load.answers);
  } finally {
    await load.stop();
  }
}

/** The release is done, in the cluster and in Git. */
export async function expectPromoted(
  stage: Stage,
  app: AppOptions,
  version: string,
  pushed: string,
  subject = new RegExp(`^promote ${app.namespace}/podinfo ${version}`),
): Promise<void> {
  const { namespace } = app;
  await phase(stage, app, 'Succeeded', patienceMs);
  const [outcome = ''] = await commitsWith(stage, app, 'promoted');
  expect(await imageOf(stage, namespace, 'podinfo-primary')).toBe(image(version));
  expect(await replicasOf(stage, namespace, 'podinfo')).toBe(0);
  expect(await weightsOf(stage, app)).toMatch(allHome);
  const message = await messageOf(stage, outcome);
  expect(message).toMatch(subject);
  const judged = trailerOf(message, 'Revision');
  await expectSameApp(stage, namespace, pushed, judged);
  expect(await stage.git('show', '--format=', '--name-only', outcome)).toBe(
    `cluster/.releases/${namespace}/podinfo.yaml\n`,
  );
  expect(await stage.file(`.releases/${namespace}/podinfo.yaml`)).toContain(`podinfo:${version}`);
  const format = '--format=%(objecttype) %(*objectname)';
  expect(await stage.git('for-each-ref', format, `refs/tags/releases/${namespace}/podinfo/`)).toBe(`tag ${judged}\n`);
}

function trailerOf(message: string, name: string): string {
  return new RegExp(`^${name}: (\\w{40})$`, 'm').exec(message)?.[1] ?? `no ${name}`;
}

/** What was judged is what was pushed, or a commit that has come with it: other apps are pushed at the same time. */
async function expectSameApp(stage: Stage, namespace: string, pushed: string, judged: string): Promise<void> {
  expect(await stage.git('rev-list', '--count', `${judged}..${pushed}`)).toBe('0\n');
  expect(await stage.git('diff', '--name-only', pushed, judged, '--', `cluster/${namespace}`)).toBe('');
}

/** The object says it before the proxy does it, and a busy one takes its time. */
export async function routed(
  door: Door,
  isSo: (met: readonly Answer[]) => boolean,
  headers: Readonly<Record<string, string>> = {},
) {
  await until('the proxy has taken up the route', 30_000, async () => isSo(await burst(door, 64, headers)));
  await pause(routedMs);
}

/** Of everybody who asked from the first moment to the last pod of the old version that goes. */
export async function expectNothingLost(
  stage: Stage,
  { namespace }: AppOptions,
  answers: readonly Answer[],
): Promise<void> {
  await until('the canary has no pods any more', 60_000, async () => (await podsOf(stage, namespace)) === 0);
  await pause(routedMs);
  const failed = failedOf(answers);
  const told = failed.map(
    ({ atMs, tookMs, status: code }) => `${new Date(atMs).toISOString()} ${code} after ${tookMs} ms`,
  );
  expect(told, `${namespace}: ${failed.length} of ${answers.length} requests were lost`).toEqual([]);
  expect(answers.length).toBeGreaterThan(300);
}
