import { describe, expect, it } from 'vitest';
import type { QuarantineEntry, StableEntry } from '../../src/release/ledger.ts';
import { rejectedImage } from '../../src/release/rejected-image.ts';
import { aRevision } from './an-outcome.ts';

const entry = (images: Readonly<Record<string, string>>, change: Partial<QuarantineEntry> = {}): QuarantineEntry => ({
  releaseId: 'r',
  revision: aRevision('b'),
  at: '2026-03-01T11:00:00Z',
  images,
  templateHash: '',
  content: 'c',
  failedCheck: 'x',
  reason: 'bad',
  ...change,
});
const stable = (images: Readonly<Record<string, string>>) => ({ images }) as StableEntry;
const [one, other] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`];

const found = (rejected: string, pushed: string, proven = 'r.example/app:1'): string | undefined =>
  rejectedImage({ quarantine: [entry({ app: rejected })], stable: stable({ app: proven }) }, { app: pushed }, 0)?.image;

describe('an image that was rejected', () => {
  it.each([
    ['the same tag', 'r.example/app:2', 'r.example/app:2'],
    ['the same digest in another registry', `r.example/app:2@${one}`, `mirror.example/app@${one}`],
    ['the tag, where only one names a digest', 'r.example/app:2', `r.example/app:2@${one}`],
    ['the long name of the same', 'app:2', 'docker.io/library/app:2'],
    ['no tag at all, which is latest', 'r.example/app', 'r.example/app:latest'],
    ['a registry with a port', 'localhost:5000/app:2', 'localhost:5000/app:2'],
  ])('is known by %s', (_, rejected, pushed) => {
    expect(found(rejected, pushed)).toBe(pushed);
  });

  it.each([
    ['another tag', 'r.example/app:2', 'r.example/app:3'],
    ['another digest of the same tag', `r.example/app:2@${one}`, `r.example/app:2@${other}`],
    ['another repository with the same tag', 'r.example/app:2', 'r.example/shop:2'],
    ['another registry with the same tag and no digest', 'r.example/app:2', 'mirror.example/app:2'],
    ['digests without tags that differ', `r.example/app@${one}`, `r.example/app@${other}`],
  ])('is not taken for %s', (_, rejected, pushed) => {
    expect(found(rejected, pushed)).toBeUndefined();
  });

  it('is none where the image is the stable one, as after a bad ConfigMap', () => {
    expect(found('r.example/app:1', 'r.example/app:1')).toBeUndefined();
    const sidecar = { app: 'app:2', proxy: 'proxy:1' };
    const ledger = { quarantine: [entry(sidecar)], stable: stable({ app: 'app:1', proxy: 'proxy:1' }) };
    expect(rejectedImage(ledger, { app: 'app:3', proxy: 'proxy:1' }, 0)).toBeUndefined();
    expect(rejectedImage(ledger, { renamed: 'app:2', proxy: 'proxy:1' }, 0)?.image).toBe('app:2');
  });

  it('is told by its last entry, and by none that has lapsed', () => {
    const lapsed = entry({ app: 'app:2' }, { expires: '2026-03-02T00:00:00Z' });
    const quarantine = [entry({ app: 'app:2' }, { reason: 'first' }), entry({ app: 'app:2' }, { reason: 'second' })];
    expect(rejectedImage({ quarantine }, { app: 'app:2' }, 0)?.entry.reason).toBe('second');
    expect(rejectedImage({ quarantine: [lapsed] }, { app: 'app:2' }, Date.parse('2026-03-03'))).toBeUndefined();
  });
});
