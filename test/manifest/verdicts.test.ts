import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { KnownFields } from '../../src/manifest/checks/fields.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import { validateManifests } from '../../src/manifest/validate.ts';
import { verdicts } from '../contract/verdicts.ts';

const known = JSON.parse(
  readFileSync(new URL('../../fixtures/kubernetes/fields.json', import.meta.url), 'utf8'),
) as KnownFields;

describe('validate says of an object what a real API server said', () => {
  it.each(verdicts)('$name', ({ object, refused }) => {
    const { manifests, problems } = parseManifests('x.json', JSON.stringify(object));
    const found = [...problems, ...validateManifests(manifests, { known })];
    const errors = found.filter(({ severity }) => severity === 'error').map(({ message }) => message);
    expect(errors.length > 0, errors.join('\n')).toBe(refused);
  });
});
