import { describe, expect, it } from 'vitest';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { Stage } from '../../model/loop/stage.ts';

const told = 'app.demo has 70 percent of the users, and no release is under way';

/** At rest, the target given two pods by hand, and 70 percent of the users led to them by hand while the primary is like this. */
async function ledAway(primary: 'up in part' | 'down' | 'whole'): Promise<Stage> {
  const stage = new Stage({ replicas: 2, podStartMs: 500, spec: aCanarySpec({ threshold: 1, stepWeights: [50] }) });
  stage.push({});
  stage.start();
  await stage.run(60_000);
  const scale = (name: string, replicas: number): void =>
    stage.edit('Deployment', name, (object) => ({ ...object, spec: { ...(object['spec'] as object), replicas } }));
  scale('app', 2);
  if (primary === 'up in part') stage.pods.health('app:0', 'half');
  if (primary === 'down') stage.pods.down('app-primary', true);
  await stage.run(primary === 'whole' ? 5_000 : 90_000);
  stage.edit(
    'VirtualService',
    'app',
    (object) =>
      JSON.parse(
        JSON.stringify(object, (_name, member: unknown) => {
          const { destination } = (member ?? {}) as { readonly destination?: { readonly host?: string } };
          if (destination?.host === 'app-canary') return { ...(member as object), weight: 70 };
          if (destination?.host === 'app-primary') return { ...(member as object), weight: 30 };
          return member;
        }),
      ) as typeof object,
  );
  await stage.run(40_000);
  return stage;
}

const times = (stage: Stage): number => stage.noted.filter((text) => text.startsWith(told)).length;

describe('users whom somebody has led to the canary at rest', () => {
  it('go home to a primary that is whole, and nobody is told of anything else', async () => {
    const stage = await ledAway('whole');
    expect([stage.routes.weight, times(stage)]).toEqual([0, 0]);
  });

  it.each(['down', 'up in part'] as const)(
    'stay there while the primary is %s, which is told once, and go home when it is whole',
    async (how) => {
      const stage = await ledAway(how);
      await stage.run(60_000);
      expect([stage.routes.weight, times(stage)]).toEqual([70, 1]);
      stage.pods.down('app-primary', false);
      stage.pods.health('app:0', 'good');
      await stage.run(40_000);
      expect([stage.routes.weight, times(stage)]).toEqual([0, 1]);
    },
  );
});
