import { describe, expect, it } from 'vitest';
import { createStory } from './a-story.ts';

const gate = (name: string, type: string): object => ({ name, type, url: `http://hooks/${name}` });

describe('a promotion in steps', () => {
  it('ends when somebody has taken all users off the canary meanwhile [R11]', () => {
    const story = createStory({ analysis: { stepWeight: 50, maxWeight: 50, stepWeightPromotion: 10 } });
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Promoting');
    story.world.split = { canaryWeight: 0, mirror: false };
    story.until(({ status }) => status.phase === 'Succeeded');
  });
});

describe('steps that are edited in the middle of a run', () => {
  it('go on with the next greater one, not with everybody [R14]', () => {
    const story = createStory({ analysis: { stepWeights: [10, 20, 80] } });
    story.push('2.0.0');
    story.until(({ weight }) => weight === 20);
    story.editAnalysis({ stepWeights: [15, 30, 45, 90] });
    story.until(({ weight }) => weight !== 20);
    expect(story.weight).toBe(30);
  });

  it('go on from the weight that was judged, whatever more somebody has given the routes', () => {
    const story = createStory({ analysis: { stepWeights: [10, 20, 80] } });
    story.push('2.0.0');
    story.until(({ weight }) => weight === 10);
    story.world.split = { canaryWeight: 35, mirror: false };
    story.until(({ weight }) => weight !== 35);
    story.until(({ weight }) => weight === 20);
    expect(story.status.canaryWeight).toBe(20);
    expect(story.weights).not.toContain(80);
  });
});

describe('a push while a release is on its way', () => {
  it.each(['Progressing', 'WaitingPromotion', 'Promoting'])(
    'in %s never ships without an analysis of its own [R16]',
    (phase) => {
      const story = createStory({
        analysis: { stepWeight: 50, maxWeight: 50, webhooks: [gate('promote', 'confirm-promotion')] },
      });
      story.closed.add('promote');
      story.push('2.0.0');
      story.until(({ status }) => status.phase === (phase === 'Promoting' ? 'WaitingPromotion' : phase));
      if (phase === 'Promoting') story.closed.clear();
      story.until(({ status }) => status.phase === phase);
      const before = story.done.length;
      story.push('3.0.0');
      story.closed.clear();
      story.until(() => story.image('app-primary') === '3.0.0');
      const steps = story.done
        .slice(before)
        .flatMap((effect) => (effect.kind === 'set-route' ? [effect.split.canaryWeight] : []));
      expect(steps).toContain(50);
      expect(story.done.slice(before).some(({ kind }) => kind === 'begin-release')).toBe(true);
    },
  );
});

describe('a change that is taken back', () => {
  it('in the middle of a run cancels it: nothing is promoted, and no outcome is told [R17]', () => {
    const story = createStory();
    story.push('2.0.0');
    story.until(({ weight }) => weight === 50);
    story.push('1.0.0');
    story.until(({ status }) => status.phase === 'Initialized');
    story.wait(60);
    expect([story.weight, story.replicas('app'), story.status.phase]).toEqual([0, 0, 'Initialized']);
    expect(story.done.some(({ kind }) => kind === 'end-release')).toBe(false);
  });

  it('at a closed gate ends the wait [R28]', () => {
    const story = createStory({ analysis: { stepWeight: 50, webhooks: [gate('start', 'confirm-rollout')] } });
    story.closed.add('start');
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Waiting');
    story.push('1.0.0');
    story.until(({ status }) => status.phase === 'Initialized');
    story.wait(20);
    expect(story.replicas('app')).toBe(0);
  });
});

describe('a config that changes in the middle of a run', () => {
  it('starts the analysis anew with new pods, which read it [R18]', () => {
    const story = createStory();
    story.push('2.0.0');
    story.until(({ weight }) => weight === 50);
    const before = story.done.length;
    story.world.setConfig('two');
    story.until(({ status }) => status.canaryWeight === 0 && status.phase === 'Progressing');
    story.until(({ weight }) => weight === 50);
    const scaled = story.done
      .slice(before)
      .flatMap((effect) => (effect.kind === 'scale-target' ? [effect.replicas] : []));
    expect(scaled).toEqual([0, 2]);
  });
});

describe('a canary that dies when its version is on the primary already', () => {
  it('does not make a rollback of what has been promoted [R19]', () => {
    const story = createStory();
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Promoting');
    story.world.downDeployments.add('app');
    story.until(({ status }) => status.phase === 'Succeeded');
    expect(story.image('app-primary')).toBe('2.0.0');
    expect(story.events.join('\n')).not.toMatch(/Canary failed/);
  });

  it('loses its users to the primary at once, ready in all its parts or not', () => {
    const story = createStory({ analysis: { stepWeight: 50, maxWeight: 50, stepWeightPromotion: 10 } });
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Promoting');
    story.world.downDeployments.add('app');
    story.wait(5);
    expect(story.weight).toBe(0);
  });
});

describe('a target that somebody deletes', () => {
  it.each(['istio', 'kubernetes'])('takes no users with it: they go to the primary (%s)', (provider) => {
    const story = createStory({
      spec: { provider },
      analysis: provider === 'istio' ? { stepWeight: 50 } : { iterations: 1 },
    });
    story.push('2.0.0');
    story.until(({ weight }) => weight > 0);
    story.world.objects.delete('Deployment/app');
    story.wait(10);
    expect([story.weight, story.status.canaryWeight]).toEqual([0, 0]);
    expect(story.events).toContain('Routing all traffic to primary');
  });
});

describe('a release without analysis', () => {
  it('waits for the primary before the canary goes [R20]', () => {
    const story = createStory({ spec: { skipAnalysis: true } });
    story.push('2.0.0');
    story.until(() => story.image('app-primary') === '2.0.0');
    story.world.brokenDeployments.add('app-primary');
    story.world.downDeployments.add('app-primary');
    story.wait(30);
    expect([story.status.phase, story.replicas('app')]).toEqual(['Promoting', 2]);
  });
});

describe('the plain provider', () => {
  it('shows the canary to users before it is promoted, by the one switch that it has [R21]', () => {
    const story = createStory({ spec: { provider: 'kubernetes' }, analysis: { iterations: 2 } });
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Succeeded');
    expect(new Set(story.weights)).toEqual(new Set([0, 100]));
    expect(story.weight).toBe(0);
  });
});

describe('a promotion that waits for a person', () => {
  it('keeps weight and status as they are, and asks at every interval [R22]', () => {
    const story = createStory({
      analysis: { stepWeight: 50, maxWeight: 50, webhooks: [gate('promote', 'confirm-promotion')] },
    });
    story.closed.add('promote');
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'WaitingPromotion');
    const before = story.asked.length;
    story.wait(50);
    expect([story.weight, story.status.canaryWeight]).toEqual([50, 50]);
    expect(story.asked.length - before).toBe(5);
  });

  it('is asked for once in blue/green, before its users are moved [R23]', () => {
    const story = createStory({ analysis: { iterations: 2, webhooks: [gate('promote', 'confirm-promotion')] } });
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Succeeded');
    expect(story.asked).toEqual(['promote']);
  });
});

describe('a release that failed', () => {
  it('writes and tells nothing more [R32]', () => {
    const story = createStory();
    story.successRate = 42;
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Failed');
    const before = [story.done.length, story.status];
    story.wait(300);
    expect([story.done.length, story.status]).toEqual(before);
  });
});

describe('the primary', () => {
  it('keeps after a promotion what its controllers noted, and at its creation gets no notes of the target [R35]', () => {
    const noted = {
      'deployment.kubernetes.io/revision': '7',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
    };
    const story = createStory({
      before: ({ objects }) => {
        const target = objects.get('Deployment/app');
        if (target) objects.set('Deployment/app', { ...target, metadata: { ...target.metadata, annotations: noted } });
      },
    });
    const annotations = (): unknown => story.world.objects.get('Deployment/app-primary')?.metadata.annotations;
    expect(annotations()).toEqual({});
    const primary = story.world.objects.get('Deployment/app-primary');
    const own = { 'deployment.kubernetes.io/revision': '1' };
    if (primary)
      story.world.objects.set('Deployment/app-primary', {
        ...primary,
        metadata: { ...primary.metadata, annotations: own },
      });
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Succeeded');
    expect(annotations()).toEqual(own);
  });
});
