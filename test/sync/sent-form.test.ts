import { describe, expect, it } from 'vitest';
import { leftBehind, sentForm } from '../../src/sync/sent-form.ts';
import { aDeployment, anObject } from './a-manifest.ts';

const podSpecOf = (object: object): unknown => (object as { spec: { template: { spec: unknown } } }).spec.template.spec;

describe('what is sent of an object', () => {
  it('is the very same object where all of it can be owned', () => {
    for (const object of [
      aDeployment('web', 1).object,
      anObject('Secret test/a', { data: { a: 'eA==' } }),
      anObject('ConfigMap test/a'),
    ])
      expect(sentForm(object)).toBe(object);
  });

  it('is data for stringData, which wins; null is empty', () => {
    const secret = anObject('Secret test/a', { data: { a: 'eA==', b: 'eQ==' }, stringData: { a: 'ü', c: null } });
    expect(sentForm(secret)).toEqual(anObject('Secret test/a', { data: { a: 'w7w=', b: 'eQ==', c: '' } }));
    expect(sentForm(anObject('Secret test/a', { stringData: null }))).toEqual(anObject('Secret test/a'));
  });

  it('are both names under which a service account is stored, or the other would keep it when Git takes it away', () => {
    for (const written of [
      { serviceAccountName: 'x' },
      { serviceAccount: 'x' },
      { serviceAccountName: 'x', serviceAccount: 'y' },
    ]) {
      const { object } = aDeployment('web', 1);
      Object.assign(podSpecOf(object) as object, written);
      expect(podSpecOf(sentForm(object))).toMatchObject({ serviceAccountName: 'x', serviceAccount: 'x' });
    }
    const job = { spec: { template: { spec: { serviceAccountName: 'x' } } } };
    const cronJob = { apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: 'c' }, spec: { jobTemplate: job } };
    expect(JSON.stringify(sentForm(cronJob))).toContain('"serviceAccount":"x"');
  });
});

describe('what is left behind in a Secret', () => {
  const owner = (manager: string, fields: object) => ({ manager, operation: 'Apply', fieldsV1: fields });
  const data = { a: 'eA==', b: 'eQ==', constructor: 'eg==' };
  it.each([
    [
      'nothing, where each key has an owner',
      [owner('serin', { 'f:data': { 'f:a': {}, 'f:b': {} } }), owner('x', { 'f:data': { 'f:constructor': {} } })],
      undefined,
    ],
    [
      'nothing, where another wrote stringData',
      [owner('serin', { 'f:data': { 'f:a': {} } }), owner('x', { 'f:stringData': { 'f:b': {}, 'f:constructor': {} } })],
      undefined,
    ],
    ['what nobody owns', [owner('serin', { 'f:data': { 'f:a': {} } })], { b: 'eQ==', constructor: 'eg==' }],
    ['nothing, where owners are not told', [], undefined],
  ])('is %s', (_what, managedFields, expected) => {
    const secret = anObject('Secret test/a', { data, metadata: { managedFields } });
    expect(leftBehind(secret)).toEqual(expected);
    expect(leftBehind({ ...secret, immutable: true })).toBeUndefined();
  });
});
