import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { startImageRegistry } from '../../sandbox/image-registry.ts';
import { startLoad } from '../../sandbox/traffic/load.ts';
import { projectRoot } from '../sandbox/ground.ts';
import { quotes, setStage, type Stage } from './stage.ts';

const host = 'podinfo.example.test';
const versions = ['2.0.9', '2.1.0', '2.1.1', '2.1.2'];

/** The demo with its dashboard, and beside the quotes an app whose versions can be picked from a registry. */
export interface DeployDemo {
  readonly stage: Stage;
  readonly dashboardUrl: string;
  stop(): Promise<void>;
}

/** `entry`: the dashboard's thread as JavaScript. `withQuotes`: also the app of the guides. */
export async function setDeployDemo(
  { entry, withQuotes }: { readonly entry: URL; readonly withQuotes: boolean },
  signal: AbortSignal,
): Promise<DeployDemo> {
  const closing: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of closing.splice(0).toReversed()) await step();
  };
  try {
    const dir = await mkdtemp(join(tmpdir(), 'serin-demo-registry-'));
    closing.push(() => rm(dir, { recursive: true, force: true }));
    const registry = await startImageRegistry(dir);
    closing.push(() => registry.stop());
    for (const version of versions) await registry.push('podinfo', version);
    const app = await readFile(new URL('fixtures/demo/deploy/podinfo.yaml', projectRoot), 'utf8');
    const stage = await setStage(
      {
        host: withQuotes ? quotes.host : host,
        files: async (repoUrl) => ({
          ...(withQuotes ? await quotes.files(repoUrl) : {}),
          'apps/podinfo.yaml': app.replace('registry.test/podinfo', `${registry.registry}/podinfo`),
        }),
        flags: { 'registry-plain-http': registry.registry, 'image-interval': '10s' },
        dashboard: { entry },
      },
      signal,
    );
    closing.push(() => stage.stop());
    if (withQuotes) {
      const load = startLoad({ url: stage.sandbox.gatewayUrl, host, perSecond: 20, clock: systemClock });
      closing.push(() => load.stop());
    }
    return { stage, dashboardUrl: stage.dashboardUrl ?? '', stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
