import { join } from 'node:path';
import type { GitAuth } from '../../src/git/credentials.ts';
import { openRepo } from '../../src/git/open-repo.ts';
import { type GitServerOptions, startGitServer } from '../../src/sandbox/git-server.ts';
import { describeGitRepo, type GitRepoFixture, initialFiles } from '../conformance/describe-git-repo.ts';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';

const setUp = (options: Pick<GitServerOptions, 'auth'>, auth?: GitAuth) => async (): Promise<GitRepoFixture> => {
  let folders = 0;
  const root = await tempDir();
  const server = await startGitServer({ root: join(root, 'server'), ...options });
  const serverPath = await server.createRepo('config', { files: initialFiles });
  await server.createRepo('empty');
  const opened: { close(): Promise<void> }[] = [];
  const open = async (name: string): ReturnType<typeof openRepo> => {
    const dir = join(root, `mirror-${folders++}`);
    const repo = await openRepo({ url: server.repoUrl(name), branch: 'main', dir, ...(auth ? { auth } : {}) });
    opened.push(repo);
    return repo;
  };
  return {
    serverPath,
    open: () => open('config'),
    openEmpty: () => open('empty'),
    close: async () => {
      await Promise.all(opened.map((repo) => repo.close()));
      await server.stop();
      await removeDir(root);
    },
  };
};

describeGitRepo('a repository over HTTP', setUp({}));

describeGitRepo(
  'a repository over HTTP with credentials',
  setUp({ auth: { username: 'agent', password: 's3cret' } }, { kind: 'basic', username: 'agent', password: 's3cret' }),
);
