import { describe, expect, it } from 'vitest';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { aFence } from '../../helpers/a-fence.ts';
import { Stage } from '../../model/loop/stage.ts';

const spec = aCanarySpec({ interval: '10s', threshold: 2, stepWeights: [20, 40, 60] });

/** Whatever the agent writes of a canary, by manager and name. */
async function started(fence = aFence()) {
  const stage = new Stage({ replicas: 2, podStartMs: 500, spec, faulty: { fence } });
  const written: string[] = [];
  stage.push({});
  stage.start();
  await stage.run(60_000);
  expect(stage.status.phase).toBe('Initialized');
  stage.onWritten = ({ before, after, manager }) => {
    const object = after ?? before;
    if (manager.startsWith('serin')) written.push(`${manager} ${object?.kind} ${object?.metadata.name}`);
  };
  return { stage, fence, written };
}

describe('a canary whose agent has lost its lease', () => {
  it('is not led on from where it is, and is once the lease is there again', async () => {
    const { stage, fence, written } = await started();
    stage.push({ version: 1 });
    stage.wakeSync();
    while (stage.routes.weight === 0) await stage.run(1_000);
    const { weight } = stage.routes;
    fence.isHeld = false;
    written.length = 0;
    const told = [...stage.told, ...stage.noted];
    await stage.run(120_000);
    expect(written).toEqual([]);
    expect(stage.routes.weight).toBe(weight);
    expect([...stage.told, ...stage.noted]).toEqual(told);

    fence.isHeld = true;
    await stage.run(300_000);
    expect(stage.outcomes.map(({ verdict }) => verdict)).toContain('promoted');
  });

  it('gets no new release', async () => {
    const { stage, fence, written } = await started();
    fence.isHeld = false;
    stage.push({ version: 1 });
    stage.wakeSync();
    await stage.run(120_000);
    expect(written.filter((text) => !text.startsWith('serin '))).toEqual([]);
    expect(stage.status.phase).toBe('Initialized');
  });

  it('is not taken home by it: whoever has the lease does so', async () => {
    const { stage, fence, written } = await started();
    stage.push({ version: 1 });
    stage.wakeSync();
    while (stage.routes.weight === 0) await stage.run(1_000);
    fence.isHeld = false;
    written.length = 0;
    stage.metrics = 'bad';
    await stage.run(120_000);
    expect(written).toEqual([]);
  });

  it('has lost it in the middle of a step: what follows in the step is not written', async () => {
    const { stage, fence, written } = await started();
    stage.push({ version: 1 });
    stage.wakeSync();
    const note = stage.onWritten;
    stage.onWritten = (one) => {
      note(one);
      if (one.after?.kind === 'VirtualService') fence.isHeld = false;
    };
    written.length = 0;
    await stage.run(120_000);
    // The step led users; its status would have been next.
    expect(written.at(-1)).toContain('VirtualService');
  });

  it('has lost it in the middle of a step and won it again: the rest of the step is decided anew', async () => {
    const { stage, fence } = await started();
    stage.push({ version: 1 });
    stage.wakeSync();
    const times: { readonly what: string; readonly atMs: number }[] = [];
    let losses = 0;
    stage.onWritten = ({ after, manager }) => {
      if (manager === 'serin-canary') times.push({ what: after?.kind ?? '', atMs: stage.clock.now() });
      if (losses > 0 || after?.kind !== 'VirtualService') return;
      losses += 1;
      fence.loseAndWin();
    };
    await stage.run(300_000);
    const at = times.findIndex(({ what }) => what === 'VirtualService');
    const [led, next] = times.slice(at);
    // Its status would have been next, within the same moment.
    expect((next?.atMs ?? 0) - (led?.atMs ?? 0)).toBeGreaterThanOrEqual(5_000);
    expect(stage.outcomes.map(({ verdict }) => verdict)).toContain('promoted');
  });
});
