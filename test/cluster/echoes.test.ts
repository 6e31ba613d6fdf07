import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEchoes, versionIn, versionOnly } from '../../src/cluster/echoes.ts';

const deployment = (resourceVersion: string, spec: unknown = { replicas: 1 }, annotations = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { annotations, name: 'podinfo', namespace: 'test', resourceVersion, uid: 'u' },
  spec,
});
const line = (object: unknown, type = 'MODIFIED'): string => JSON.stringify({ type, object });

describe('an echo of our own write', () => {
  it('says the same as if it had been parsed, whatever was written', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('MODIFIED', 'ADDED', 'DELETED', 'BOOKMARK'),
        fc.jsonValue(),
        fc.dictionary(
          fc.constantFrom('a', 'resourceVersion', 'note'),
          fc.constantFrom('1', '7', '"resourceVersion":"7"'),
        ),
        fc.constantFrom('1', '7'),
        fc.constantFrom('', '\n'),
        (type, spec, annotations, heard, end) => {
          const echoes = createEchoes();
          const written = deployment('7', spec, annotations);
          expect(echoes.read(`${JSON.stringify(written)}${end}`)).toEqual(JSON.parse(JSON.stringify(written)));
          for (const said of [line(deployment(heard, spec, annotations), type), line(written, type)])
            expect(echoes.hear(said)).toEqual(JSON.parse(said));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is parsed once, and nothing is kept of one that the watch told first', () => {
    const echoes = createEchoes();
    const answer = echoes.read(JSON.stringify(deployment('7'))) as ReturnType<typeof deployment>;
    const { object } = echoes.hear(line(deployment('7'))) as { object: Partial<ReturnType<typeof deployment>> };
    expect(object.spec).toBe(answer.spec);
    echoes.hear(line(deployment('8')));
    const late = echoes.read(JSON.stringify(deployment('8'))) as ReturnType<typeof deployment>;
    const again = echoes.hear(line(deployment('8'))) as { object: ReturnType<typeof deployment> };
    expect(again.object).toEqual(late);
    expect(again.object.spec).not.toBe(late.spec);
  });

  it('is not waited for where it would hold values or much memory', () => {
    const echoes = createEchoes();
    for (const object of [{ ...deployment('7'), kind: 'Secret' }, deployment('8', 'x'.repeat(40_000))]) {
      const answer = echoes.read(JSON.stringify(object)) as ReturnType<typeof deployment>;
      const heard = echoes.hear(line(object)) as { object: ReturnType<typeof deployment> };
      expect(heard.object).toEqual(answer);
      expect(heard.object.metadata.annotations).not.toBe(answer.metadata.annotations);
    }
  });

  it('is forgotten when many others were written after it', () => {
    const echoes = createEchoes();
    const first = echoes.read(JSON.stringify(deployment('1'))) as ReturnType<typeof deployment>;
    for (let version = 2; version < 200; version += 1) echoes.read(JSON.stringify(deployment(String(version))));
    const heard = echoes.hear(line(deployment('1'))) as { object: ReturnType<typeof deployment> };
    expect(heard.object.spec).not.toBe(first.spec);
  });
});

describe('the version in an answer', () => {
  it('is found without reading the rest', () => {
    expect(versionIn(JSON.stringify(deployment('7')))).toBe('7');
    expect(versionOnly(JSON.stringify(deployment('7')))).toEqual({ metadata: { resourceVersion: '7' } });
    expect(versionIn('{}')).toBeUndefined();
  });

  it('is read with all the rest where something else is called so as well', () => {
    const object = deployment('7', {}, { resourceVersion: '3' });
    expect(versionOnly(JSON.stringify(object))).toEqual(object);
  });
});
