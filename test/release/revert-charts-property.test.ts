import { isDeepStrictEqual } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import { type Revert, reverting } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { createHelm } from '../../src/render/helm.ts';
import { helmByHand, helmProgram } from '../helpers/helm.ts';
import { chartApps, chartStoryOf, valuesIn } from './a-charted-shop.ts';

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
/** More of them by hand: `SERIN_TREES=500 SERIN_SEED=1 npx vitest run test/release/revert-charts-property.test.ts`. */
const count = Number(process.env['SERIN_TREES'] ?? 6);
const first = Number(process.env['SERIN_SEED'] ?? 1);

const byHand = (files: Readonly<Record<string, string>>, app: string): unknown => {
  const values = Object.fromEntries(valuesIn(files, app).map((text, at) => [`by-hand-${at}.yaml`, text]));
  const args = Object.keys(values).flatMap((path) => ['-f', path]);
  const text = helmByHand({ ...files, ...values }, ['template', app, 'charts/web', ...args]);
  return parseManifests('x.yaml', text).manifests.map(({ object }) => object);
};

describe.skipIf(helmProgram === undefined)('two HelmReleases of one chart that one commit changes', () => {
  const helm = createHelm({ program: helmProgram ?? '' });
  afterAll(() => helm.close());

  it('are taken back one without the other, or not at all', { timeout: 120_000 + count * 10_000 }, async () => {
    const wrong: string[] = [];
    const found: Record<Revert['kind'], number> = { edited: 0, nothing: 0, superseded: 0, conflict: 0 };
    for (let seed = first; seed < first + count; seed += 1) {
      const { before, judged, told } = chartStoryOf(seed);
      const render = createRender(settings, undefined, { helm });
      const [base, tip] = [before, judged].map((files) => new Map(Object.entries(files)));
      if (!base || !tip) continue;
      const [own, other] = chartApps;
      const app = { namespace: 'prod', name: own };
      const result = await turns.run(reverting({ app, base, judged: tip, tip, render }));
      found[result.kind] += 1;
      if (result.kind !== 'edited') continue;
      const files: Record<string, string> = { ...judged };
      for (const [path, text] of result.files)
        if (text === null) delete files[path];
        else files[path] = text;
      if (!isDeepStrictEqual(byHand(files, own), byHand(before, own)))
        wrong.push(`story ${seed}: ${own} (${told.join('; ')})`);
      if (!isDeepStrictEqual(byHand(files, other), byHand(judged, other)))
        wrong.push(`story ${seed}: ${other} (${told.join('; ')})`);
    }
    if (count > 100) process.stdout.write(`${JSON.stringify({ ...found, runs: helm.runs })}\n`);
    expect(wrong).toEqual([]);
    expect(found.edited).toBeGreaterThan(count * 0.4);
    expect(found.superseded).toBe(0);
  });
});
