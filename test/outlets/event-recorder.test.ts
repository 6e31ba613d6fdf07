import { describe, expect, it } from 'vitest';
import { createEventRecorder, type EventRecorder } from '../../src/outlets/event-recorder.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { AgentError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { manualClock, type ManualClock } from '../helpers/manual-clock.ts';

const canary: KubeObject = {
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { namespace: 'demo', name: 'app', uid: 'u1', resourceVersion: '7' },
};

interface Fixture {
  readonly recorder: EventRecorder;
  readonly clock: ManualClock;
  readonly stored: Map<string, KubeObject>;
  readonly dropped: () => number;
  /** Writes so far. */
  readonly writes: () => number;
  /** While true, the API server takes its time: nothing is answered. */
  readonly slow: { is: boolean };
  /** While true, the API server does not answer. */
  readonly down: { is: boolean };
  readonly say: (message: string) => void;
}

function recorderOver(): Fixture {
  const clock = manualClock();
  const stored = new Map<string, KubeObject>();
  const down = { is: false };
  const slow = { is: false };
  let dropped = 0;
  let writes = 0;
  const answered = async (): Promise<void> => {
    writes += 1;
    while (slow.is) await settled();
  };
  const refuse = (): void => {
    if (down.is) throw new AgentError('CLUSTER_UNREACHABLE', 'down');
  };
  const cluster = {
    create: async (object: KubeObject) => {
      await answered();
      refuse();
      stored.set(object.metadata.name, object);
      return object;
    },
    mergePatch: async ({ name }: { name: string }, patch: object) => {
      await answered();
      refuse();
      const before = stored.get(name);
      if (!before) throw new AgentError('CLUSTER_REFUSED', 'gone', { details: { status: 404 } });
      stored.set(name, { ...before, ...patch });
      return before;
    },
  } as unknown as Cluster;
  const options = {
    cluster,
    clock,
    log: silentLogger,
    component: 'flagger',
    onDropped: (count: number) => void (dropped += count),
  };
  const recorder = createEventRecorder(options, new AbortController().signal);
  return {
    recorder,
    clock,
    stored,
    down,
    slow,
    dropped: () => dropped,
    writes: () => writes,
    say: (message) => recorder.record(canary, { type: 'Normal', level: 'info', message }),
  };
}

/** Lets everything run that does not wait for time. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const shown = (stored: Fixture['stored']): string[] =>
  [...stored.values()].map((event) => `${String(event['message'])} x${String(event['count'])}`);

describe('Kubernetes events', () => {
  it('look like Flagger’s', async () => {
    const { say, stored } = recorderOver();
    say('Initialization done! app.demo');
    await settled();
    const [event] = stored.values();
    expect(event).toMatchObject({
      kind: 'Event',
      metadata: { namespace: 'demo' },
      involvedObject: { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', name: 'app', namespace: 'demo', uid: 'u1' },
      reason: 'Synced',
      type: 'Normal',
      source: { component: 'flagger' },
      count: 1,
    });
  });

  it('are each kept under their own text, however many there are in ten minutes [R76]', async () => {
    const { say, stored } = recorderOver();
    const texts = Array.from({ length: 40 }, (_, index) => `Advance app.demo canary weight ${index}`);
    for (const text of texts) say(text);
    await settled();
    expect(shown(stored)).toEqual(texts.map((text) => `${text} x1`));
  });

  it('raise a count when they are said again within an hour, and are new after it', async () => {
    const { say, stored, clock } = recorderOver();
    for (const _ of [1, 2, 3]) say('waiting');
    await settled();
    expect(shown(stored)).toEqual(['waiting x3']);
    clock.advance(3_600_001);
    say('waiting');
    await settled();
    expect(shown(stored)).toEqual(['waiting x3', 'waiting x1']);
  });

  it('are written anew where the server has forgotten the first', async () => {
    const { say, stored } = recorderOver();
    say('waiting');
    await settled();
    stored.clear();
    say('waiting');
    await settled();
    expect(shown(stored)).toEqual(['waiting x1']);
  });

  it('that cannot be written are counted, and the next ones are', async () => {
    const { say, stored, down, dropped } = recorderOver();
    down.is = true;
    say('lost');
    await settled();
    down.is = false;
    say('kept');
    await settled();
    expect(dropped()).toBe(1);
    expect(shown(stored)).toEqual(['kept x1']);
  });

  it('are folded while the API server is slow: what is said again is counted, and written once', async () => {
    const { say, stored, slow, writes, clock } = recorderOver();
    slow.is = true;
    say('under way');
    for (let interval = 0; interval < 30; interval += 1) {
      say('waiting for rollout');
      if (interval === 10) say('halted');
      clock.advance(10_000);
    }
    slow.is = false;
    await settled();
    await settled();
    expect(shown(stored)).toEqual(['under way x1', 'waiting for rollout x30', 'halted x1']);
    expect(writes()).toBe(3);
    const folded = [...stored.values()].find(({ count }) => count === 30);
    const [first, last] = [folded?.['firstTimestamp'], folded?.['lastTimestamp']].map((at) => Date.parse(String(at)));
    expect((last ?? 0) - (first ?? 0)).toBe(290_000);
    say('waiting for rollout');
    await settled();
    expect(shown(stored)).toContain('waiting for rollout x31');
  });

  it('are given up oldest first when too many wait, each time that one was said is counted', async () => {
    const { say, stored, slow, dropped } = recorderOver();
    slow.is = true;
    say('under way');
    say('oldest');
    say('oldest');
    for (let index = 0; index < 10_000; index += 1) say(`Advance ${index}`);
    expect(dropped()).toBe(2);
    say('latest');
    expect(dropped()).toBe(3);
    slow.is = false;
    for (let turn = 0; turn < 50; turn += 1) await settled();
    const texts = shown(stored);
    expect([texts[0], texts[1], texts.at(-1)]).toEqual(['under way x1', 'Advance 1 x1', 'latest x1']);
    expect(texts).toHaveLength(10_001);
  });
});
