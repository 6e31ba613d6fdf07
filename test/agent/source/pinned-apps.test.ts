import { describe, expect, it } from 'vitest';
import { createPinnedApps } from '../../../src/agent/source/pinned-apps.ts';
import type { App } from '../../../src/canary/app.ts';
import type { Phase } from '../../../src/canary/types.ts';
import { asRevision, type Revision } from '../../../src/git/repo.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { appKey } from '../../helpers/key.ts';

const never = new AbortController().signal;
const [one, two] = ['1', '2'].map((digit) => asRevision(digit.repeat(40))) as [Revision, Revision];
const app = (name: string): App => ({
  id: { namespace: 'test', name },
  canary: {
    object: { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: { namespace: 'test', name } },
    origin: { renderer: 'plain', path: `${name}.yaml`, document: 0, line: 1 },
  },
  targetKind: 'Deployment',
  configs: [],
  images: {},
  content: name,
});

/** Commits by revision with their apps; another one is not in Git any more. */
function stage(commits: ReadonlyMap<Revision, readonly App[]>, phases: Readonly<Record<string, Phase>> = {}) {
  const read: Revision[] = [];
  const messages: string[] = [];
  const find = createPinnedApps({
    appsAt(revision) {
      read.push(revision);
      const apps = commits.get(revision);
      return apps
        ? Promise.resolve(apps)
        : Promise.reject(new AgentError('GIT_NOT_FOUND', 'it is not there', { details: { missing: 'commit' } }));
    },
    log: createLogger('info', (line) => messages.push((JSON.parse(line) as { msg: string }).msg)),
    phaseOf: (key) => phases[key],
  });
  return {
    read,
    messages,
    find: (held: Record<string, Revision>) =>
      find(new Map(Object.entries(held).map(([key, at]) => [appKey(key), at] as const)), never),
  };
}

describe('apps that are held', () => {
  it('are read once for all of a commit, as long as they are held there', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `app-${index}`);
    const { find, read } = stage(new Map([[one, names.map(app)]]));
    const all = Object.fromEntries(names.map((name) => [`test/${name}`, one]));
    for (let pass = 0; pass < 3; pass += 1) expect((await find({ ...all, 'test/gone': one })).stable.size).toBe(50);
    expect(read).toEqual([one]);
    await find({});
    expect([...(await find({ 'test/app-7': one })).stable.values()].map(({ content }) => content)).toEqual(['app-7']);
    expect(read).toEqual([one, one]);
  });

  it('are lost where their commit is gone, but only those that run already, and that is told once', async () => {
    const { find, messages } = stage(new Map([[one, [app('a')]]]), { 'test/b': 'Succeeded', 'test/c': '' });
    for (let pass = 0; pass < 2; pass += 1) {
      const { stable, lost } = await find({ 'test/a': one, 'test/b': two, 'test/c': two });
      expect([...stable.keys()]).toEqual(['test/a']);
      expect([...lost]).toEqual(['test/b']);
    }
    expect(messages).toEqual([
      'held at its stable state',
      'The stable state of test/b cannot be read from Git: it is not there; what runs is left as it is until Git says something else',
      'The stable state of test/c cannot be read from Git: it is not there; what Git says now is applied instead',
    ]);
  });
});
