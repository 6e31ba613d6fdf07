import { describe, expect, it } from 'vitest';
import type { Deps } from '../../../src/agent/deps.ts';
import { createPodReader } from '../../../src/agent/views/pod-reader.ts';
import type { Views } from '../../../src/agent/views/views.ts';
import type { CanarySpec } from '../../../src/canary/types.ts';
import type { Cluster } from '../../../src/cluster/cluster.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import { createLogger } from '../../../src/lib/log.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { ended, looping, pod, type Status, waiting } from '../../canary/trouble/pods.ts';
import { manualClock } from '../../helpers/manual-clock.ts';

const target = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'test', name: 'web' };
const spec = { namespace: 'test', name: 'web', target, targetKind: 'Deployment' } as unknown as CanarySpec;
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-abc', uid: 'rs', controller: true };
const set: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: {
    name: 'web-abc',
    namespace: 'test',
    uid: 'rs',
    labels: { 'pod-template-hash': 'abc' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'd' }],
  },
};
const template = {
  spec: {
    containers: [
      {
        name: 'app',
        image: 'app:2',
        env: [
          { name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
          { name: 'API_TOKEN', value: 'plain-in-the-template' },
        ],
      },
    ],
  },
};
const workload = (version: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'test', uid: 'd', resourceVersion: version },
  spec: { selector: { matchLabels: { app: 'web' } }, template },
});

interface Given {
  readonly status?: Status;
  readonly log?: string;
  readonly settings?: { readonly podLogs?: boolean };
  readonly secret?: Readonly<Record<string, string>>;
  /** Instead of an answer to a list. */
  readonly refuse?: () => Promise<never>;
}

function stage({ status = looping(ended(1)), log = 'panic: bad', settings = {}, secret = {}, refuse }: Given = {}) {
  const clock = manualClock();
  const asked: string[] = [];
  const messages: string[] = [];
  let version = '1';
  const now = { status, log };
  const cluster = {
    list: ({ kind }: { kind: string }, options: { limit?: number; labelSelector?: string; fieldSelector?: string }) => {
      asked.push(`list ${kind} ${options.labelSelector ?? options.fieldSelector ?? ''} ${options.limit ?? 'all'}`);
      if (refuse) return refuse();
      const made = pod({ containerStatuses: [now.status] });
      const owned = { ...made, metadata: { ...made.metadata, uid: 'p', ownerReferences: [owner] } };
      return Promise.resolve(kind === 'ReplicaSet' ? [set] : kind === 'Pod' ? [owned] : []);
    },
    get: ({ kind, name }: { kind: string; name: string }) => {
      asked.push(`get ${kind} ${name}`);
      const data = Object.fromEntries(
        Object.entries(secret).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
      );
      return Promise.resolve({ data });
    },
    podLog: (_pod: unknown, options: { previous: boolean; tailLines: number; limitBytes: number }) => {
      asked.push(`log previous=${options.previous} ${options.tailLines} ${options.limitBytes}`);
      return Promise.resolve(now.log);
    },
  } as unknown as Cluster;
  const deps = {
    cluster,
    clock,
    log: createLogger('info', (line) => messages.push(line)),
    settings,
  } as unknown as Deps;
  const views = { object: () => Promise.resolve(workload(version)) } as unknown as Views;
  const reader = createPodReader(deps, views);
  const never = new AbortController().signal;
  return {
    clock,
    asked,
    messages,
    now,
    changed: (next: string) => (version = next),
    read: (isLast = false) => reader({ kind: 'pods', role: 'canary', isLast }, spec, never),
  };
}

describe('why pods are not ready', () => {
  it('is read in a few bounded requests: of the newest ReplicaSet, its pods, the events of one, its log, its Secrets', async () => {
    const { read, asked } = stage();
    expect((await read())?.text).toBe('container crashes (exit 1): panic: bad');
    expect(asked).toEqual([
      'list ReplicaSet app=web 100',
      'list Pod app=web,pod-template-hash=abc 100',
      'list Event involvedObject.uid=p 100',
      'get Secret db',
      'log previous=true 10 8192',
    ]);
  });

  it('is not read again within a minute while nothing has changed, but once more when the release ends', async () => {
    const { read, asked, clock, changed } = stage();
    const first = await read();
    asked.length = 0;
    clock.advance(30_000);
    expect(await read()).toBe(first);
    expect(asked).toEqual([]);
    await read(true);
    expect(asked).toHaveLength(5);
    asked.length = 0;
    changed('2');
    await read();
    expect(asked).toHaveLength(3);
  });

  it('keeps its words while the cause is the same, whatever the log says meanwhile', async () => {
    const { read, clock, now } = stage({ log: '10:00:01 panic: bad' });
    const texts: (string | undefined)[] = [];
    for (let round = 0; round < 4; round += 1) {
      texts.push((await read())?.text);
      clock.advance(61_000);
      now.log = `10:0${round + 1}:01 panic: bad`;
    }
    expect(new Set(texts)).toEqual(new Set(['container crashes (exit 1): 10:00:01 panic: bad']));
    now.status = waiting('ErrImagePull', 'not found');
    expect((await read())?.text).toBe('image cannot be pulled (not found): example.org/app:2');
  });

  it('goes out without values of Secrets, whoever wrote them, and without what looks like one', async () => {
    const secret = { password: 'hunter2-of-db', pem: 'line-one-of-it\nline-two-of-it\n' };
    const log = [
      'error: login with hunter2-of-db failed',
      'token plain-in-the-template refused',
      'read line-two-of-it',
      'url postgres://app:whatever@db/app',
    ].join('\n');
    const message = 'ended by hunter2-of-db';
    const { read, messages } = stage({ secret, log, status: looping(ended(1, 'Error', message)) });
    const told = JSON.stringify(await read(true)) + messages.join('');
    for (const value of ['hunter2', 'plain-in-the-template', 'line-two', 'whatever']) expect(told).not.toContain(value);
    expect(told).toContain('error: login with *** failed');
    expect(told).toContain('ended by ***');
  });

  it('shows no line that was cut, and none at all where the Secrets are too many', async () => {
    const long = `first line\n${'x'.repeat(9_000)}hunter2`;
    expect((await stage({ log: long.slice(0, 8_192) }).read(true))?.lines).toEqual([
      'pod web-1, container app: ended with exit code 1 (Error)',
      'last log lines:',
      '  first line',
    ]);
    const huge = await stage({ secret: { blob: 'y'.repeat(300_000) }, log: 'panic: yyyy' }).read(true);
    expect(huge?.lines.join()).not.toContain('panic');
  });

  it('is told without logs where these are nobody’s business', async () => {
    const { read, asked } = stage({ settings: { podLogs: false }, status: looping(ended(1, 'Error', 'secret words')) });
    const told = await read(true);
    expect(told?.lines).toEqual(['pod web-1, container app: ended with exit code 1 (Error)']);
    expect(asked.filter((request) => /log|Secret/.test(request))).toEqual([]);
  });

  it('is nothing where the agent may not look, which is said once', async () => {
    const refuse = (): Promise<never> =>
      Promise.reject(new AgentError('CLUSTER_REFUSED', 'list Pod: pods is forbidden', { details: { status: 403 } }));
    const { read, messages } = stage({ refuse });
    expect(await read()).toBeUndefined();
    expect(await read(true)).toBeUndefined();
    expect(messages.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(['warn']);
  });

  it('is asked of few at once where many wait, the others at their next look; a release that ends is asked of even so', async () => {
    const { read, asked } = stage({ refuse: () => new Promise(() => undefined) });
    const answers = Array.from({ length: 40 }, () => read());
    const ends = read(true);
    const early = await Promise.race([Promise.all(answers.slice(24)), ends]);
    expect(early, 'those answer at once').toEqual(Array.from({ length: 16 }, () => undefined));
    expect(asked).toEqual(Array.from({ length: 8 }, () => 'list ReplicaSet app=web 100'));
    expect(await Promise.all([...answers, ends])).toEqual(Array.from({ length: 41 }, () => undefined));
    const after = stage();
    expect((await after.read())?.text).toContain('container crashes');
  });

  it('is nothing where the server takes long: a rollback does not wait for it', async () => {
    const { read } = stage({ refuse: () => new Promise(() => undefined) });
    const begin = performance.now();
    expect(await read(true)).toBeUndefined();
    expect(performance.now() - begin).toBeLessThan(6_000);
  });
});
