import { describe, expect, it } from 'vitest';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { Stage } from '../../model/loop/stage.ts';

const spec = aCanarySpec({ interval: '10s', threshold: 2, stepWeights: [20, 40, 60] });
const ofCanaries = (managers: readonly string[]): readonly string[] =>
  managers.filter((manager) => manager === 'serin-canary' || manager === 'serin-release');

function waiting(): { readonly stage: Stage; readonly written: string[] } {
  const stage = new Stage({ replicas: 2, podStartMs: 500, spec, isWaiting: true });
  const written: string[] = [];
  stage.onWritten = ({ manager }) => void written.push(manager);
  stage.push({});
  stage.start();
  return { stage, written };
}

describe('an agent that sees canaries and does not lead them yet', () => {
  it('writes nothing of them, and leads all that are there as soon as it begins', async () => {
    const { stage, written } = waiting();
    await stage.run(120_000);
    expect(ofCanaries(written)).toEqual([]);
    stage.lead();
    await stage.run(120_000);
    expect(stage.status.phase).toBe('Initialized');
  });

  it('finds a release that was pushed while it waited', async () => {
    const { stage, written } = waiting();
    await stage.run(30_000);
    stage.push({ version: 1 });
    stage.wakeSync();
    await stage.run(120_000);
    expect(ofCanaries(written)).toEqual([]);
    stage.lead();
    await stage.run(120_000);
    expect(stage.status.phase).toBe('Initialized');
    const primary = JSON.stringify(stage.cluster.peek('Deployment', 'app-primary'));
    expect(primary).toContain('app:1');
  });

  it('is told of changes once when it has begun, not once for each time that they were seen', async () => {
    const { stage, written } = waiting();
    for (let number = 0; number < 20; number += 1) {
      stage.edit('Deployment', 'app', (object) => ({
        ...object,
        metadata: { ...object.metadata, annotations: { note: `${number}` } },
      }));
      await stage.run(1_000);
    }
    expect(ofCanaries(written)).toEqual([]);
    stage.lead();
    await stage.run(120_000);
    expect(stage.status.phase).toBe('Initialized');
  });
});
