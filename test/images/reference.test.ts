import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ImageReference,
  readReference,
  repositoryOf,
  showReference,
  withTag,
} from '../../src/images/reference.ts';
import { cpuMsOf } from '../helpers/cpu-time.ts';

interface Answer {
  readonly text: string;
  readonly refused?: boolean;
  readonly registry?: string;
  readonly repository?: string;
  readonly tag?: string;
  readonly digest?: string;
  readonly familiar?: string;
}
const answers = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/images/references.json'), 'utf8'),
) as readonly Answer[];

/** Where the library of containerd and Docker says something else, and why that is meant. */
const differences: ReadonlyMap<string, string> = new Map([
  ['x_y.io/app', 'it takes a name that is no host, and then knows no registry'],
  ['docker.io/foo.bar/x', 'it shows foo.bar/x, which it would read as an image of the registry foo.bar'],
  ['docker.io/localhost/x', 'it shows localhost/x, likewise'],
]);
const sha = `sha256:${'0'.repeat(64)}`;
const read = (text: string): ImageReference => {
  const reference = readReference(text);
  if ('problem' in reference) throw new Error(reference.problem);
  return reference;
};

describe('An image reference', () => {
  it.each(answers.filter(({ text }) => !differences.has(text)))('is read as containerd reads $text', (answer) => {
    const reference = readReference(answer.text);
    if ('problem' in reference) {
      expect(answer.refused, reference.problem).toBe(true);
      return;
    }
    expect({ text: answer.text, ...reference, familiar: showReference(reference) }).toEqual(answer);
  });

  it('differs from containerd where that would name another image', () => {
    expect(readReference('x_y.io/app')).toHaveProperty('problem');
    for (const text of ['docker.io/foo.bar/x', 'docker.io/localhost/x'])
      expect(read(showReference(read(text)))).toEqual(read(text));
  });

  it('is of one repository, however it is written', () => {
    const spellings = ['nginx', 'docker.io/nginx:1', 'library/nginx', `index.docker.io/library/nginx@${sha}`];
    expect(new Set(spellings.map((text) => repositoryOf(read(text))))).toEqual(new Set(['docker.io/library/nginx']));
  });

  it('gets another tag and keeps its spelling', () => {
    expect(withTag('nginx', '1.27')).toBe('nginx:1.27');
    expect(withTag('localhost:5000/app', '2')).toBe('localhost:5000/app:2');
    expect(withTag(`docker.io/library/nginx:1.26@${sha}`, '1.27')).toBe('docker.io/library/nginx:1.27');
    expect(withTag('ghcr.io/a/b:1', '2', sha)).toBe(`ghcr.io/a/b:2@${sha}`);
  });

  it('is the same when what is shown is read again', () => {
    const text = fc
      .array(
        fc.constantFrom(
          'a',
          'b1',
          'nginx',
          'library',
          'docker.io',
          'localhost',
          '.',
          '-',
          '_',
          '/',
          ':',
          '1',
          `@${sha}`,
          'X',
        ),
        { minLength: 1, maxLength: 7 },
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (one) => {
        const reference = readReference(one);
        if ('problem' in reference) return;
        expect(readReference(showReference(reference))).toEqual(reference);
      }),
      { numRuns: 500 },
    );
  });

  it('that nobody could have written is refused with a reason, at once', () => {
    const hostile = [
      'a-'.repeat(1e6),
      'a/'.repeat(300),
      `${'a'.repeat(300)}/b`,
      `x.io/${'a.'.repeat(120)}`,
      `a:${'b'.repeat(600)}`,
    ];
    const spent = cpuMsOf(() => {
      for (const text of [...hostile, '${IMAGE}', 'app:{{ .Values.tag }}', 'https://ghcr.io/app', 'app\n', '\u202eapp'])
        expect(readReference(text), text.slice(0, 20)).toHaveProperty('problem');
    });
    expect(spent).toBeLessThan(300);
  });
});
