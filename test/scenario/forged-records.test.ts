import { describe, expect, it } from 'vitest';
import { releaseAnnotation, renderRecord } from '../../src/release/record.ts';
import { sinceName } from '../../src/release/record-object.ts';
import { releaseId } from '../../src/release/release-id.ts';
import type { ReleaseRecord } from '../../src/release/types.ts';
import { commitFiles, lines } from '../helpers/temp-repo.ts';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, image, record, weights } from './look.ts';
import { adopted, agentCommits, outcome, outcomes } from './outcomes.ts';
import { expectSound, ledger } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const files = appFiles();
const hosts = [hostOf()];
const flagger = 'flagger.app/v1beta1';

/** Whoever may change Canaries does this. */
function annotate({ sandbox }: Stage, text: string): void {
  sandbox.store.update(flagger, 'Canary', 'test', 'podinfo', (draft) => {
    draft.metadata.annotations = { ...draft.metadata.annotations, [releaseAnnotation]: text };
  });
}

/** Whoever may change Secrets in the agent's namespace does this. */
function spoil(stage: Stage, change: (kept: ReleaseRecord) => ReleaseRecord): void {
  const kept = record(stage);
  if (!kept) throw new Error('nothing is kept');
  stage.sandbox.store.update('v1', 'Secret', 'serin', secretName(stage), (draft) => {
    draft['data'] = { release: Buffer.from(renderRecord(change(kept))).toString('base64') };
  });
}

/** A commit that nobody has merged, with another image. */
async function unmerged(stage: Stage): Promise<string> {
  const text = await stage.file(appPath());
  await stage.run('branch', '-f', 'unmerged', 'main');
  const evil = { [appPath()]: toTag('6.6.6')(text ?? '') };
  return commitFiles(stage.repoPath, { files: evil, message: 'not reviewed', branch: 'unmerged' });
}

/** As agents of before kept one, of what stands at the tip, that goes back to what nobody has merged. */
async function forged(stage: Stage, verdict: 'promoted' | 'rolled-back', base: string): Promise<string> {
  const entry = (await ledger(stage))?.stable as unknown as { revision: string; content: string };
  const { content, revision } = entry;
  const id = releaseId({ namespace: 'test', name: 'podinfo' }, content, revision as ReleaseRecord['revision']);
  const status = stage.sandbox.store.get(flagger, 'Canary', 'test', 'podinfo')?.['status'] as Record<string, string>;
  const state = { revision, content, templateHash: status['lastAppliedSpec'], images: {}, configs: {} };
  const outcome = { verdict, atMs: Date.now(), evidence: [], state };
  return JSON.stringify({ id, revision, base, content, startedAtMs: 1, supersedes: [], outcome });
}

describe('a release annotation that somebody forges', patient, () => {
  it('does nothing to an app at rest, amid a release and while an outcome waits, with and without a restart', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const evil = await unmerged(stage);
      const before = await agentCommits(stage);
      for (const verdict of ['rolled-back', 'promoted'] as const) {
        annotate(stage, await forged(stage, verdict, evil));
        await stage.restsFor(20_000);
        await stage.agent.stop();
        await stage.start({ freshMirror: true });
        await stage.restsFor(20_000);
      }
      expect(await agentCommits(stage)).toEqual(before);
      expect(image(stage, 'podinfo')).toBe('podinfo:3.1.0');

      const pushed = await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('the first step', () => canary(stage).weight === 20);
      annotate(stage, await forged(stage, 'rolled-back', evil));
      await stage.agent.stop();
      await stage.start();
      expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted', Revision: pushed });

      await stage.until('it is over', () => canary(stage).phase === 'Succeeded');
      stage.git.faults.inject({ kind: 'hang' }, { only: 'push' });
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await stage.until('the rollback', () => canary(stage).phase === 'Failed');
      annotate(stage, 'x'.repeat(250 * 1024));
      await stage.agent.stop();
      annotate(stage, await forged(stage, 'promoted', evil));
      // Also where somebody may write Secrets of the agent: what Git does not prove is not believed.
      spoil(stage, (kept) => ({ ...kept, base: evil as ReleaseRecord['base'] }));
      stage.git.faults.clear();
      await stage.start({ freshMirror: true });
      expect((await outcome(stage, 2)).trailers['Verdict']).toBe('rolled-back');
      expect(await stage.file(appPath())).toContain('podinfo:3.1.1');
      expect(lines(await stage.run('tag', '--list'))).toEqual(['releases/test/podinfo/1']);
      await expectSound(stage);
    });
  });
});

describe('an agent that is upgraded while an outcome waits', patient, () => {
  it('writes it as far as Git and the Canary say the same, and looks at annotations once only', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const text = await stage.file(appPath());
      stage.git.faults.inject({ kind: 'hang' }, { only: 'push' });
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await stage.until('it is noted', () => record(stage)?.outcome?.verdict === 'rolled-back');
      await stage.until('the rollback', () => canary(stage).phase === 'Failed' && weights(stage)[0] === 100);
      await stage.agent.stop();
      // What an agent of before would have left.
      const kept = record(stage);
      if (!kept) throw new Error('nothing is kept');
      for (const { metadata } of stage.sandbox.store.list('v1', 'Secret', 'serin'))
        if (metadata.name === sinceName || metadata.name.startsWith('serin-release-'))
          stage.sandbox.store.remove('v1', 'Secret', 'serin', metadata.name);
      annotate(stage, renderRecord(kept));
      stage.git.faults.clear();
      await stage.start({ freshMirror: true });
      const { trailers } = await outcome(stage, 1);
      expect(trailers).toMatchObject({ Verdict: 'rolled-back', 'Release-Id': kept.id });
      expect(await stage.file(appPath())).toBe(text);
      await stage.until('the agent has noted it', () => record(stage)?.outcome?.written !== undefined);

      // From now on it is of no account.
      await stage.agent.stop();
      stage.sandbox.store.remove('v1', 'Secret', 'serin', secretName(stage));
      annotate(stage, renderRecord(kept));
      await stage.start();
      await stage.restsFor(30_000);
      expect(await outcomes(stage)).toHaveLength(1);
      expect(record(stage)).toBeUndefined();
      await expectSound(stage);
    });
  });
});

describe('a ledger that names a commit that nobody has merged', patient, () => {
  it('rebuilds no cluster from it', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const evil = await unmerged(stage);
      await stage.agent.stop();
      const named = (text: string): string =>
        text.replace(/revision: \w+/, `revision: ${evil}`).replace(/content: \w+/, 'content: forged');
      await stage.edit('a ledger', 'apps/.releases/test/podinfo.yaml', named);
      await stage.replaceCluster();
      await stage.start({ freshMirror: true });
      await stage.said(/^The stable state of test\/podinfo cannot be read from Git: commit \w+ is not one of main; /);
      await stage.until('what Git says runs', () => image(stage, 'podinfo-primary') === 'podinfo:3.1.0');
      expect(image(stage, 'podinfo')).toBe('podinfo:3.1.0');
    });
  });
});

const secretName = ({ sandbox }: Stage): string =>
  sandbox.store
    .list('v1', 'Secret', 'serin')
    .map(({ metadata }) => metadata.name)
    .find((name) => name.startsWith('serin-release-')) ?? '';
