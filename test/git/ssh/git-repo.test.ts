import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { makeSshKey } from '../../../src/git/ssh/key.ts';
import { openRepo } from '../../../src/git/open-repo.ts';
import { commitWithGit, runGit } from '../../../src/sandbox/git-command.ts';
import { describeGitRepo, type GitRepoFixture, initialFiles } from '../../conformance/describe-git-repo.ts';
import { accessWith } from '../../helpers/ssh-access.ts';
import { startSshDouble } from '../../helpers/ssh-double.ts';
import { sshdPath, startSshd } from '../../helpers/sshd.ts';
import { removeDir, tempDir } from '../../helpers/temp-repo.ts';

interface SshServer {
  readonly knownHosts: string;
  repoUrl(path: string): string;
  stop(): Promise<void>;
}

/** The contract of a repository, over a server that is begun once; each test has repositories of its own. */
function describeOverSsh(name: string, start: (dir: string, authorized: string) => Promise<SshServer>): void {
  describe(name, () => {
    let root: string;
    let key: Awaited<ReturnType<typeof makeSshKey>>;
    let server: SshServer;
    let folders = 0;

    beforeAll(async () => {
      [root, key] = await Promise.all([tempDir(), makeSshKey('serin')]);
      server = await start(root, key.publicKey);
    });
    afterAll(async () => {
      await server.stop();
      await removeDir(root);
    });

    describeGitRepo('a repository over SSH', async (): Promise<GitRepoFixture> => {
      const dir = join(root, `test-${folders++}`);
      const create = async (repo: string): Promise<string> => {
        const path = join(dir, `${repo}.git`);
        await runGit(['init', '--quiet', '--bare', '--initial-branch=main', path]);
        return path;
      };
      const serverPath = await create('config');
      await commitWithGit(serverPath, { files: initialFiles, message: 'initial commit' });
      const empty = await create('empty');
      const opened: { close(): Promise<void> }[] = [];
      const open = async (path: string): ReturnType<typeof openRepo> => {
        const repo = await openRepo({
          url: server.repoUrl(path),
          branch: 'main',
          dir: join(dir, `mirror-${folders++}`),
          ssh: accessWith(key, server.knownHosts),
        });
        opened.push(repo);
        return repo;
      };
      return {
        serverPath,
        open: () => open(serverPath),
        openEmpty: () => open(empty),
        close: async () => {
          await Promise.all(opened.map((repo) => repo.close()));
        },
      };
    });
  });
}

// Where there is no sshd, another SSH server runs the real git services: the contract is held in any case.
describe.skipIf(sshdPath === undefined)('over the sshd of this machine (skipped where it has none)', () => {
  describeOverSsh('with a key', (dir, authorized) => startSshd({ dir, authorized: [authorized] }));
});
describe.skipIf(sshdPath !== undefined)('over an SSH server of Node (only where there is no sshd)', () => {
  describeOverSsh('with a key', (_, authorized) => startSshDouble({ authorized: [authorized] }));
});
