import { isDeepStrictEqual } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { type KubeObject, refKey, refOf } from '../../src/manifest/types.ts';
import { type Revert, reverting } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { kustomizeByHand, kustomizeProgram } from '../helpers/kustomize.ts';
import { type Story, storyOf } from './a-kustomized-shop.ts';

type Files = Readonly<Record<string, string>>;

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
/** More of them by hand: `SERIN_TREES=2000 SERIN_SEED=1 npx vitest run test/release/revert-kustomize-property.test.ts`. */
const count = Number(process.env['SERIN_TREES'] ?? 20);
const first = Number(process.env['SERIN_SEED'] ?? 1);

/** What the program itself says of all folders; undefined: it cannot build one of them. */
const byHand = (files: Files, { folders }: Story): ReadonlyMap<string, KubeObject> | undefined => {
  try {
    return new Map(
      folders.flatMap((folder) => kustomizeByHand(files, folder).map((one) => [refKey(refOf(one)), one] as const)),
    );
  } catch {
    return undefined;
  }
};

/** Of the app its target and what is generated for it. */
const isOf = ({ app }: Story, { kind, metadata }: KubeObject): boolean =>
  metadata.namespace === app.namespace &&
  (kind === 'Deployment'
    ? metadata.name === app.name
    : kind === 'ConfigMap' && metadata.name.startsWith(`${app.name}-config`));

/** What is wrong with an edit; undefined: nothing. */
function faultOf(story: Story, edits: ReadonlyMap<string, string | null>): string | undefined {
  const files: Record<string, string> = { ...story.tip };
  for (const [path, text] of edits) {
    if (text === null) delete files[path];
    else files[path] = text;
  }
  const [before, tip, now] = [story.before, story.tip, files].map((one) => byHand(one, story));
  // Of what nobody can build, before or after, nothing can be said to be as it was.
  if (!before || !tip) return 'it was edited although it cannot be built';
  if (!now) return 'it cannot be built any more';
  for (const key of new Set([...before.keys(), ...tip.keys(), ...now.keys()])) {
    const found = [before, tip, now].map((objects) => objects.get(key));
    const object = found.find((one) => one !== undefined);
    if (!object) continue;
    const wanted = isOf(story, object) ? found[0] : found[1];
    if (!isDeepStrictEqual(found[2], wanted)) return `${key} is not as it should be`;
  }
  return undefined;
}

describe.skipIf(kustomizeProgram === undefined)('two apps that one commit changes in a tree of kustomize', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  afterAll(() => kustomize.close());

  it('are taken back one without the other, or not at all', { timeout: 120_000 + count * 5_000 }, async () => {
    const wrong: string[] = [];
    const found: Record<Revert['kind'], number> = { edited: 0, nothing: 0, superseded: 0, conflict: 0 };
    const reasons = new Map<string, number>();
    for (let seed = first; seed < first + count; seed += 1) {
      const story = storyOf(seed);
      const render = createRender(settings, undefined, { kustomize });
      const [base, judged, tip] = [story.before, story.judged, story.tip].map(
        (files) => new Map(Object.entries(files)),
      );
      if (!base || !judged || !tip) continue;
      const result = await turns.run(reverting({ app: story.app, base, judged, tip, render }));
      found[result.kind] += 1;
      const fault = result.kind === 'edited' ? faultOf(story, result.files) : undefined;
      if (fault !== undefined) wrong.push(`story ${seed}: ${fault} (${story.told.join('; ')})`);
      if (result.kind === 'conflict') {
        const reason = result.reason.replaceAll(/\S+\/\S+/g, '…');
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
    }
    if (count > 100)
      process.stdout.write(`${JSON.stringify({ ...found, reasons: [...reasons], runs: kustomize.runs })}\n`);
    expect(wrong).toEqual([]);
    // Most are taken back, and those that move others as well are not.
    expect(found.edited).toBeGreaterThan(count * 0.4);
    expect(found.conflict).toBeGreaterThan(0);
    expect(found.superseded + found.nothing).toBeLessThan(count * 0.2);
  });
});
