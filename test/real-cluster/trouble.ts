import { setTimeout as pause } from 'node:timers/promises';
import { until } from './command.ts';
import { eventsOf, pushVersion, status } from './look.ts';
import { type AppOptions, requestMetrics } from './podinfo-app.ts';
import { crash } from './processes.ts';
import type { Stage } from './stage.ts';
import { expectNothingLost, expectPromoted, open } from './story.ts';

const patienceMs = 120_000;

/** Releases under way while first the metrics and then the API server are away: they hold, say why, and go on. */
export async function tellTrouble(stage: Stage, apps: readonly AppOptions[], clusterFolder: string): Promise<void> {
  const gated = apps.map((app) => ({
    ...app,
    analysis: `    threshold: 5\n    stepWeight: 25\n    maxWeight: 50\n${requestMetrics}    webhooks:
      - name: step
        type: confirm-traffic-increase
        url: ${stage.hooks.url(app.namespace)}\n`,
  }));
  const each = <T>(work: (app: AppOptions, index: number) => Promise<T>): Promise<T[]> => Promise.all(gated.map(work));
  const step = (): void => gated.forEach(({ namespace }) => stage.hooks.allow(namespace, 1));
  const at = (weight: number): Promise<unknown> =>
    each((app) => status(stage, app, `${weight}% are on the canary`, patienceMs, (now) => now.canaryWeight === weight));
  const opened = await each((app) => open(stage, app));
  try {
    const pushed = await each((app) => pushVersion(stage, app, '3.1.0', '3.1.1'));
    step();
    await at(25);

    const prometheus = await crash(clusterFolder, 'prometheus');
    step();
    await each(({ namespace }) =>
      until('it says that metrics cannot be reached', 30_000, async () => {
        return (await eventsOf(stage, namespace)).some((text) =>
          /Prometheus query failed: .*(refused|fetch|connect)/i.test(text),
        );
      }),
    );
    await pause(9_000);
    await at(25);
    await each((app) =>
      status(stage, app, 'nothing counts against it', 1_000, ({ failedChecks = 0 }) => failedChecks < 5),
    );
    await prometheus.start();
    await at(50);

    const apiServer = await crash(clusterFolder, 'kube-apiserver');
    await pause(5_000);
    await apiServer.start();
    await until('the API server is back', 60_000, () => stage.admin(['get', '--raw', '/readyz']));
    step();
    await each((app, index) => expectPromoted(stage, app, '3.1.1', pushed[index] ?? ''));
    await each((app, index) => expectNothingLost(stage, app, opened[index]?.load.answers ?? []));
  } finally {
    await Promise.all(opened.map(({ load }) => load.stop()));
  }
}
