import type { DashboardUnderTest } from '../bench/dashboard.ts';
import { systemClock } from '../lib/clock.ts';
import { type AppKey, keyOf } from '../lib/key.ts';
import { silentLogger } from '../lib/log.ts';
import { asRevision } from '../git/repo.ts';
import type { AppFacts } from '../report/types.ts';
import { createFleetModel } from '../ui/model/model.ts';
import type { AgentDoor } from '../ui/questions.ts';
import { serveUi } from '../ui/serve.ts';

const apps = 1_000;
const moving = 100;
const revision = asRevision('b'.repeat(40));

/** The server of the dashboard on what an agent would tell it. */
export async function openDashboard(): Promise<DashboardUnderTest> {
  const model = createFleetModel();
  const weights = new Map<number, number>();
  const tell = (index: number): void => {
    const { app, facts } = factsOf(index, weights.get(index) ?? 0);
    model.take({ kind: 'app', app, facts });
  };
  for (let index = 0; index < apps; index += 1) tell(index);
  const nobody = (): Promise<never> => Promise.reject(new Error('nobody is asked'));
  const door: AgentDoor = {
    pods: nobody,
    podLog: nobody,
    textInGit: nobody,
    history: nobody,
    changedBy: nobody,
    images: nobody,
    planned: nobody,
    perform: nobody,
    reviewToken: nobody,
    reviewAccess: nobody,
  };
  const server = await serveUi({
    settings: {
      port: 0,
      host: '127.0.0.1',
      url: undefined,
      hosts: [],
      anonymous: 'read',
      tokenFile: undefined,
      kubernetes: false,
      oidc: undefined,
    },
    model,
    door,
    clock: systemClock,
    log: silentLogger,
  });
  return {
    url: `http://127.0.0.1:${server.port}/`,
    change(index) {
      weights.set(index, ((weights.get(index) ?? 0) + 10) % 60);
      tell(index);
    },
    close: () => server.close(),
  };
}

function factsOf(index: number, canaryWeight: number): { readonly app: AppKey; readonly facts: AppFacts } {
  const named = { namespace: `team-${index % 25}`, name: `service-with-a-usual-name-${index}` };
  const isMoving = index < moving;
  const images = { app: `registry.example.test/${named.name}:12.4.0` };
  return {
    app: keyOf(named),
    facts: {
      provider: 'gatewayapi:v1',
      canary: {
        apiVersion: 'flagger.app/v1beta1',
        kind: 'Canary',
        metadata: { ...named, labels: { team: named.namespace } },
        spec: {
          targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: named.name },
          service: { port: 80 },
          analysis: { interval: '10s', threshold: 5, stepWeight: 10, maxWeight: 50, metrics: [] },
        },
        status: {
          phase: isMoving ? 'Progressing' : 'Succeeded',
          canaryWeight,
          lastAppliedSpec: 'b',
          lastPromotedSpec: 'a',
          lastTransitionTime: new Date().toISOString(),
        },
      },
      ledger: {
        stable: {
          release: 1,
          releaseId: '1a',
          revision,
          at: '2026-01-01T00:00:00Z',
          images,
          templateHash: 'a',
          configs: {},
          content: 'c',
        },
        quarantine: [],
      },
    },
  };
}
