import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type ClusterClient, openCluster } from '../../src/cluster/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { runGit } from '../../src/sandbox/git-command.ts';
import { type GitServer, startGitServer } from '../../src/sandbox/git-server.ts';
import { helmProgram } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';
import { type Kubectl, kubectlAs } from './command.ts';
import { type HookServer, startHookServer } from './hook-server.ts';
import { install } from './installation.ts';

/** A real cluster with the agent at work on a config repository, and a person who pushes to it. */
export interface Stage {
  readonly agent: AgentProcess;
  readonly admin: Kubectl;
  /** The administrator without a process for each question. */
  readonly cluster: ClusterClient;
  readonly hooks: HookServer;
  /** Whether the agent has a right in all namespaces: `patch deployments.apps`, `create pods/exec`. */
  mayAgent(right: string): Promise<boolean>;
  /** Edits files of a working copy, commits them and pushes, as people do, one after the other. Gives the commit. */
  push(message: string, files: Readonly<Record<string, string>>): Promise<string>;
  /** A file as the branch has it now. */
  file(path: string): Promise<string>;
  /** git, on the server's bare repository. */
  git(...words: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

const folder = 'cluster';

export async function setStage(kubeconfigPath: string): Promise<Stage> {
  const closing: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of closing.splice(0).reverse()) await step();
  };
  try {
    const root = await mkdtemp(join(tmpdir(), 'serin-real-'));
    closing.push(() => rm(root, { recursive: true, force: true }));
    const admin = kubectlAs(kubeconfigPath, root);
    const cluster = await openCluster(
      { kind: 'file', path: kubeconfigPath },
      { clock: systemClock, log: silentLogger },
    );
    closing.push(() => cluster.close());
    const installation = await install(admin, kubeconfigPath, root);
    closing.push(() => installation.remove());
    const hooks = await startHookServer();
    closing.push(() => hooks.stop());
    const server: GitServer = await startGitServer({ root: join(root, 'git') });
    closing.push(() => server.stop());
    const bare = await server.createRepo('config', { files: { 'README.md': 'What runs in our cluster.\n' } });
    const copy = join(root, 'working-copy');
    await runGit(['clone', '--quiet', server.repoUrl('config'), copy]);
    const inCopy = (...words: readonly string[]): Promise<string> =>
      runGit(['-C', copy, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.test', ...words]);

    let lastPush: Promise<unknown> = Promise.resolve();
    const agent = startAgentProcess(
      {
        kubeconfig: installation.agentKubeconfigPath,
        'git-url': server.repoUrl('config'),
        'git-dir': join(root, 'mirror'),
        'git-path': folder,
        'git-poll-interval': '1s',
        'min-interval': '1s',
        // Contour of the cluster looks at nothing else.
        'ingress-class': 'contour',
        ...(helmProgram === undefined ? {} : { helm: helmProgram }),
        ...(kustomizeProgram === undefined ? {} : { kustomize: kustomizeProgram }),
        'enable-helm': 'true',
        port: '0',
      },
      root,
    );
    closing.push(() => agent.stop());
    return {
      agent,
      admin,
      cluster,
      hooks,
      mayAgent: (right) => may(installation.asAgent, right),
      push(message, files) {
        const pushed = lastPush.then(async () => {
          await inCopy('pull', '--quiet', '--rebase');
          for (const [path, text] of Object.entries(files)) {
            await mkdir(dirname(join(copy, folder, path)), { recursive: true });
            await writeFile(join(copy, folder, path), text);
          }
          await inCopy('add', '--all');
          await inCopy('commit', '--quiet', '-m', message);
          // The agent may be faster, again and again; a person pulls and pushes until it is there.
          for (let tries = 1; ; tries += 1) {
            const error = await inCopy('push', '--quiet').then(
              () => undefined,
              (reason: Error) => reason,
            );
            if (error === undefined) break;
            if (tries === 8) throw error;
            await inCopy('pull', '--quiet', '--rebase');
          }
          return (await inCopy('rev-parse', 'HEAD')).trim();
        });
        lastPush = pushed.catch(() => undefined);
        return pushed;
      },
      file: (path) => runGit(['-C', bare, 'show', `main:${folder}/${path}`]),
      git: (...words) => runGit(['-C', bare, ...words]),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function may(kubectl: Kubectl, right: string): Promise<boolean> {
  const [verb = '', target = ''] = right.split(' ');
  const [path = '', ...group] = target.split('.');
  const [resource = '', subresource = ''] = path.split('/');
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb, group: group.join('.'), resource, subresource } },
  };
  const words = ['create', '--validate=false', '--filename=-', '--output=jsonpath={.status.allowed}'];
  return (await kubectl(words, { input: JSON.stringify(review) })) === 'true';
}
