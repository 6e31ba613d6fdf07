import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { corrections, fightWindowMs, ownedFields, projectOwned } from '../../src/sync/drift.ts';
import { anObject } from './a-manifest.ts';

const withFields = (...managedFields: object[]): KubeObject =>
  anObject('ConfigMap test/a', { metadata: { managedFields } });
const ours = { manager: 'serin', operation: 'Apply', fieldsV1: { 'f:data': { 'f:a': {} } } };

describe('fields that are owned', () => {
  it('change when one of them is taken away, and not with the order in which a server names them', () => {
    const one = { ...ours, fieldsV1: { 'f:data': { 'f:a': {}, 'f:b': {} } } };
    const other = { ...ours, fieldsV1: { 'f:data': { 'f:b': {}, 'f:a': {} } } };
    expect(ownedFields(withFields(one))).toBe(ownedFields(withFields(other)));
    expect(ownedFields(withFields(one))).not.toBe(ownedFields(withFields(ours)));
  });

  it('are ours by apply only: not those of others, of updates or of the status', () => {
    const others = [
      { ...ours, manager: 'kubectl' },
      { ...ours, operation: 'Update' },
      { ...ours, subresource: 'status' },
    ];
    expect(ownedFields(withFields(...others))).toBeUndefined();
    expect(ownedFields(withFields(...others, ours))).toBe(ownedFields(withFields(ours)));
    expect(ownedFields(anObject('ConfigMap test/a'))).toBeUndefined();
  });

  it('are all that is kept of a watched object besides its identity', () => {
    const object = { ...withFields(ours), data: { large: 'x'.repeat(1000) } };
    Object.assign(object.metadata, { uid: 'u', resourceVersion: '5', labels: { a: 'b' } });
    expect(projectOwned(object)).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace: 'test', uid: 'u', resourceVersion: '5' },
      owned: ownedFields(object),
    });
  });
});

describe('the corrections of an object', () => {
  it('count for ten minutes', () => {
    expect(corrections([], 5)).toEqual([5]);
    expect(corrections([5, 6], 7)).toEqual([5, 6, 7]);
    expect(corrections([5, 6], 6 + fightWindowMs - 1)).toEqual([6, 6 + fightWindowMs - 1]);
  });
});
