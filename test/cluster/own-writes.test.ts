import { describe, expect, it } from 'vitest';
import { createOwnWrites, notingWrites } from '../../src/cluster/own-writes.ts';
import { openViews } from '../../src/agent/views/views.ts';
import type { Change, Cluster, Reflection } from '../../src/cluster/cluster.ts';
import { type KubeObject, type ObjectRef, refOf } from '../../src/manifest/types.ts';
import { skippingClock } from '../helpers/skipping-clock.ts';
import { aKey } from '../helpers/a-key.ts';

const service = (resourceVersion: string, app: string, kind = 'Service'): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { namespace: 'demo', name: 'app', resourceVersion },
  spec: { selector: { app } },
});
const ref = refOf(service('1', 'app'));

describe('what the agent wrote itself', () => {
  it('is what it sees, as long as the watch tells of something older', () => {
    const own = createOwnWrites(skippingClock());
    own.note(service('10', 'app'));
    expect(own.newest(ref, service('9', 'app-primary'))).toEqual(service('10', 'app'));
    expect(own.newest(ref, undefined)).toEqual(service('10', 'app'));
  });

  it('gives way to whatever is newer', () => {
    const own = createOwnWrites(skippingClock());
    own.note(service('10', 'app'));
    expect(own.newest(ref, service('11', 'somebody'))).toEqual(service('11', 'somebody'));
    own.note(service('12', 'app'));
    own.heard({ kind: 'modified', object: service('12', 'app') });
    expect(own.newest(ref, undefined)).toBeUndefined();
  });

  it.each([
    ['of more digits than a number can tell apart', '9007199254740993', '9007199254740992'],
    ['of one digit more', '10', '9'],
  ])('is newer by its version: %s', (_, version, before) => {
    const own = createOwnWrites(skippingClock());
    own.note(service(version, 'app'));
    expect(own.newest(ref, service(before, 'app-primary'))).toEqual(service(version, 'app'));
  });

  it('gives way to what the watch tells where versions are no numbers', () => {
    const own = createOwnWrites(skippingClock());
    own.note(service('b', 'app'));
    expect(own.newest(ref, service('a', 'somebody'))).toEqual(service('a', 'somebody'));
  });

  it('is told apart from what others did when a watch tells of it', () => {
    const own = createOwnWrites(skippingClock());
    own.note(service('10', 'app'));
    expect(own.heard({ kind: 'modified', object: service('9', 'app-primary') })).toBe(false);
    expect(own.heard({ kind: 'modified', object: service('10', 'app') })).toBe(true);
    expect(own.heard({ kind: 'modified', object: service('11', 'somebody') })).toBe(false);
    own.note(service('12', 'app'));
    expect(own.heard({ kind: 'deleted', object: service('12', 'app') })).toBe(false);
  });

  it('is gone with the object, also where only an old version of that is told', () => {
    const own = createOwnWrites(skippingClock());
    own.note(service('10', 'app'));
    own.heard({ kind: 'deleted', object: service('9', 'app-primary') });
    expect(own.newest(ref, undefined)).toBeUndefined();
  });

  it('stands when it was made in place of one whose end is told late', () => {
    const own = createOwnWrites(skippingClock());
    const made = service('10', 'app');
    const before = service('9', 'app');
    own.note({ ...made, metadata: { ...made.metadata, uid: 'new' } });
    own.heard({ kind: 'deleted', object: { ...before, metadata: { ...before.metadata, uid: 'old' } } });
    expect(own.newest(ref, undefined)).toMatchObject({ metadata: { uid: 'new' } });
  });

  it('is not believed in for ever when the watch is silent', () => {
    let nowMs = 0;
    const own = createOwnWrites({ ...skippingClock(), now: () => nowMs });
    own.note(service('10', 'app'));
    nowMs = 119_000;
    expect(own.newest(ref, undefined)).toBeDefined();
    nowMs = 121_000;
    expect(own.newest(ref, undefined)).toBeUndefined();
  });

  it.each(['ConfigMap', 'Secret'])('is not kept where it holds values: %s', (kind) => {
    const own = createOwnWrites(skippingClock());
    own.note(service('10', 'app', kind));
    expect(own.newest(refOf(service('10', 'app', kind)), undefined)).toBeUndefined();
  });
});

describe('a view whose watch is behind', () => {
  it('shows the step that the agent took last, until the watch has it', async () => {
    let told = service('9', 'app-primary');
    let tell: (change: Change) => void = () => undefined;
    const reflection: Reflection = {
      synced: Promise.resolve(),
      isSynced: true,
      lastContactMs: 0,
      trouble: undefined,
      isForbidden: false,
      get: () => told,
      list: () => [told],
      onChange: (listener) => {
        tell = listener;
        return () => undefined;
      },
    };
    const signal = new AbortController().signal;
    const written = service('10', 'app');
    const cluster = { reflect: () => reflection, jsonPatch: () => Promise.resolve(written) } as unknown as Cluster;
    const views = openViews({ cluster, clock: skippingClock(), key: aKey() }, signal);
    const noting = notingWrites(cluster, (object) => views.wrote(object));
    await expect(views.object(ref)).resolves.toEqual(told);
    await noting.jsonPatch(ref, [], { manager: 'serin-canary' }, signal);
    await expect(views.object(ref)).resolves.toEqual(written);
    told = service('11', 'app-primary');
    tell({ kind: 'modified', object: told });
    await expect(views.object(ref)).resolves.toEqual(told);
  });
});

describe('a part of an object that has several writers here', () => {
  const canary: ObjectRef = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace: 'demo', name: 'app' };

  it('is behind until the watch has the last write of its own manager, whatever the others wrote', () => {
    const own = createOwnWrites(skippingClock());
    own.noteVersion(canary, 'serin-canary', '10');
    own.noteVersion(canary, 'serin-release', '12');
    expect(own.isBehind(canary, 'serin-canary', '9')).toBe(true);
    expect(own.isBehind(canary, 'serin-canary', '10')).toBe(false);
    expect(own.isBehind(canary, 'serin-release', '11')).toBe(true);
    expect(own.isBehind({ ...canary, name: 'other' }, 'serin-release', '1')).toBe(false);
  });

  it('is news once: what was seen is forgotten', () => {
    const own = createOwnWrites(skippingClock());
    own.noteVersion(canary, 'serin-canary', '10');
    expect(own.isOwn(canary, 'serin-canary', '10')).toBe(true);
    expect(own.isStillBehind(canary, 'serin-canary', '9')).toBe(true);
    expect(own.isStillBehind(canary, 'serin-canary', '10')).toBe(false);
    expect(own.isOwn(canary, 'serin-canary', '10')).toBe(false);
  });

  it('is behind whatever is read where somebody else was faster, until it is known what stands there', () => {
    const own = createOwnWrites(skippingClock());
    own.doubt(canary, 'serin-canary');
    expect(own.isStillBehind(canary, 'serin-canary', '99')).toBe(true);
    own.noteVersion(canary, 'serin-canary', undefined);
    expect(own.isStillBehind(canary, 'serin-canary', '99')).toBe(false);
    own.noteVersion(canary, 'serin-canary', '10');
    own.doubt(canary, 'serin-canary');
    expect(own.versionOf(canary, 'serin-canary')).toBe('10');
  });
});
