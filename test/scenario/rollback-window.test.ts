import { describe, expect, it } from 'vitest';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, image } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { ledger } from './soundness.ts';
import { onStage, patient } from './stage.ts';

const files = (): Record<string, string> => appFiles({ steps: '[50]', interval: '5s' });

describe('within the rollback window', patient, () => {
  it('what an analysis promoted before is promoted without another one, and the outcome says so', async () => {
    await onStage({ files: files(), hosts: [hostOf()], flags: { 'rollback-window': '1h' } }, async (stage) => {
      await adopted(stage);
      await stage.edit('forward', appPath(), toTag('3.1.1'));
      const proof = await outcome(stage, 1);
      // What was only found when the app was first seen was never judged.
      await stage.edit('back to what was found', appPath(), toTag('3.1.0'));
      const judged = await outcome(stage, 2);
      expect(judged.trailers).toMatchObject({ Verdict: 'promoted' });
      expect(judged.trailers['Proven-By']).toBeUndefined();
      expect((await ledger(stage)) as unknown).toMatchObject({
        proven: [{ releaseId: proof.trailers['Release-Id'] }, { releaseId: judged.trailers['Release-Id'] }],
      });

      const before = stage.happened.length;
      await stage.edit('back', appPath(), toTag('3.1.1'));
      const fast = await outcome(stage, 3);
      expect(fast.subject).toBe('promote test/podinfo 3.1.1');
      expect(fast.trailers).toMatchObject({ Verdict: 'promoted', 'Proven-By': proof.trailers['Release-Id'] });
      const text = await stage.run('log', '-1', '--format=%b', fast.commit);
      expect(text).toMatch(/^Promoted without analysis at /);
      expect(text).toMatch(
        /\nSomebody went back to what release [0-9a-f]+ promoted after its analysis at 20.*: within the rollback window\.\n/,
      );
      await stage.until('the status', () => canary(stage).phase === 'Succeeded');
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      const said = stage.happened.slice(before).map(({ message }) => message);
      expect(said.filter((message) => /^(Advance|Starting canary analysis)/.test(message))).toEqual([]);
      expect(said.join('\n')).toMatch(
        /What podinfo\.test goes back to was promoted after its analysis at .*: it is promoted without another one/,
      );
      // It was no proof of its own.
      expect((await ledger(stage)) as unknown).toMatchObject({
        stable: { releaseId: fast.trailers['Release-Id'] },
        proven: [{ releaseId: proof.trailers['Release-Id'] }, { releaseId: judged.trailers['Release-Id'] }],
      });

      // Going back with something else beside it is another state.
      await stage.edit('back, and more', appPath(), (text_) =>
        toTag('3.1.0')(text_).replace('PODINFO_UI_MESSAGE: hello', 'PODINFO_UI_MESSAGE: bye'),
      );
      expect((await outcome(stage, 4)).trailers['Proven-By']).toBeUndefined();
    });
  });
});
