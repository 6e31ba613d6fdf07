import { describe, expect, test } from 'vitest';
import { entriesOf } from '../../src/report/history.ts';

const judged = 'a'.repeat(40);
const byOf = (verdict: string, message: string, author = 'Serin'): readonly (string | undefined)[] =>
  entriesOf(
    {
      revision: 'b'.repeat(40),
      atMs: 1,
      author: 'Serin',
      message: `an outcome\n\nRelease: test/shop/2\nRevision: ${judged}\nVerdict: ${verdict}\n`,
    },
    { commits: new Map([[judged, { author, message }]]) },
  ).map(({ by }) => by);
const asked = 'release test/shop 2\n\nApp: test/shop\nAct: release\nRequested-by: jane\n';

describe('the person of an outcome', () => {
  test.each(['promoted', 'rolled-back', 'withdrawn'])('is who asked the agent for a release that was %s', (verdict) => {
    expect(byOf(verdict, asked)).toEqual(['jane']);
  });

  test('is the author of a commit that nobody was asked for', () => {
    expect(byOf('promoted', 'version 2\n\nWhat others say:\n\nSigned-off-by: Bob\n', 'bob')).toEqual(['bob']);
    expect(byOf('promoted', 'version 2\n\nRequested-by: eve\n\nThat is only text.\n', 'bob')).toEqual(['bob']);
    expect(byOf('promoted', 'version 2\n\nRequested-by:  \n', 'bob')).toEqual(['bob']);
  });

  test('carries no control character to a terminal', () => {
    expect(byOf('promoted', asked.replace('jane', 'ja\u001b[31mne'))[0]).not.toContain('\u001b');
  });

  test('is not made up where the judged commit is not known', () => {
    const message = `an outcome\n\nRelease: test/shop/2\nRevision: ${judged}\nVerdict: promoted\n`;
    const [entry] = entriesOf({ revision: 'b'.repeat(40), atMs: 1, author: 'Serin', message });
    expect(entry).toBeDefined();
    expect(entry?.by).toBeUndefined();
  });
});
