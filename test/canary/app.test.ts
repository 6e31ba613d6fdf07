import { expect, it } from 'vitest';
import { appsOf } from '../../src/canary/app.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import { canaryText, deploymentText } from '../release/a-config-repo.ts';

/** The content of an app whose container has these further lines. */
function contentWith(lines: string, pod = ''): string | undefined {
  const deployment = deploymentText({ name: 'shop' }).replace('\n    spec:\n', `\n${pod}    spec:\n`) + lines;
  const { manifests } = parseManifests('shop.yaml', `${deployment}---\n${canaryText({ name: 'shop' })}`);
  return appsOf(manifests, 'test')[0]?.content;
}

it.each([
  ['a field', '        securityContext:\n'],
  ['a list', '        env: null\n        args: ~\n'],
  ['a field of a field', '        livenessProbe: {httpGet: null}\n', '        livenessProbe: {}\n'],
])('%s that is null in a pod template is no new content, as it is none for the API server', (_, lines, same = '') => {
  expect(contentWith(lines)).toBe(contentWith(same));
});

it.each([
  ['an annotation', '', '      annotations:\n        a:\n'],
  ['a limit', '        resources: {limits: {cpu: }}\n', ''],
])('%s that is null is content: it is empty text or zero', (_, lines, pod) => {
  expect(contentWith(lines, pod)).not.toBe(contentWith(''));
});
