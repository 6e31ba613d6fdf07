import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runGit } from '../../src/sandbox/git-command.ts';
import { type GitServer, startGitServer } from '../../src/sandbox/git-server.ts';
import { uniqueName } from '../contract/cluster-under-test.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';
import { type Kubectl, kubectlAs, until } from './command.ts';
import { install } from './installation.ts';
import { image } from './podinfo-app.ts';

const { env } = process;
const kubeconfigPath = env.SERIN_TEST_INSIDE === '1' ? env.KUBECONFIG : undefined;
const why = kubeconfigPath === undefined ? ' (left out: not inside a cluster of our own)' : '';
const example = join(import.meta.dirname, '../../manifests/tenants/team-a.yaml');

const restricted = `          securityContext:
            allowPrivilegeEscalation: false
            runAsNonRoot: true
            runAsUser: 65532
            capabilities: { drop: [ALL] }
            seccompProfile: { type: RuntimeDefault }
`;
const deployment = (
  namespace: string,
  name: string,
  version: string,
  security = restricted,
): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  replicas: 1
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: podinfod
          image: ${image(version)}
          imagePullPolicy: IfNotPresent
          ports: [{ name: http, containerPort: 9898 }]
          readinessProbe: { httpGet: { path: /readyz, port: http }, periodSeconds: 1 }
${security}`;
const canary = (namespace: string): string => `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: app, namespace: ${namespace} }
spec:
  provider: kubernetes
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: app }
  progressDeadlineSeconds: 60
  service: { port: 80, targetPort: 9898 }
  analysis: { interval: 1s, threshold: 2, iterations: 2 }
`;
const config = (namespace: string, name: string, value: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${namespace} }\ndata: { v: "${value}" }\n`;

describe.skipIf(kubeconfigPath === undefined)(`two tenants on a real cluster${why}`, () => {
  const [alfa, bravo] = [uniqueName('alfa'), uniqueName('bravo')];
  const closing: (() => Promise<unknown>)[] = [];
  let root = '';
  let admin: Kubectl;
  let agent: AgentProcess;
  let server: GitServer;
  let copy = '';

  const push = async (message: string, files: Readonly<Record<string, string | null>>): Promise<void> => {
    const inCopy = (...words: readonly string[]): Promise<string> =>
      runGit(['-C', copy, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.test', ...words]);
    for (let tries = 1; ; tries += 1) {
      await inCopy('fetch', '--quiet');
      await inCopy('reset', '--quiet', '--hard', 'origin/main');
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(copy, path)), { recursive: true });
        if (text === null) await rm(join(copy, path));
        else await writeFile(join(copy, path), text);
      }
      await inCopy('add', '--all');
      await inCopy('commit', '--quiet', '-m', message);
      const error = await inCopy('push', '--quiet').then(
        () => undefined,
        (reason: Error) => reason,
      );
      if (error === undefined) return;
      if (tries === 8) throw error;
    }
  };
  const read = (namespace: string, what: string, path: string): Promise<string> =>
    admin(['-n', namespace, 'get', ...what.split(' '), '--ignore-not-found', '-o', `jsonpath=${path}`]);
  const told = (...words: readonly string[]): Promise<boolean> =>
    until(`the log tells of ${words.join(', ')}`, 60_000, async () =>
      agent
        .log()
        .split('\n')
        .some((line) => words.every((word) => line.includes(word))),
    );

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'serin-tenants-'));
    closing.push(() => rm(root, { recursive: true, force: true }));
    admin = kubectlAs(kubeconfigPath ?? '', root);
    const installation = await install(admin, kubeconfigPath ?? '', root);
    closing.push(() => installation.remove());
    for (const namespace of [alfa, bravo])
      await admin(['apply', '--server-side', '-f', '-'], {
        input: (await readFile(example, 'utf8')).replaceAll('team-a', namespace),
      });
    closing.push(() => admin(['delete', 'namespace', alfa, bravo, '--ignore-not-found', '--timeout=80s']));
    server = await startGitServer({ root: join(root, 'git') });
    closing.push(() => server.stop());
    const files = Object.fromEntries(
      [alfa, bravo].flatMap((team) => [
        [`tenants/${team}/app.yaml`, deployment(team, 'app', '3.1.0')],
        [`tenants/${team}/canary.yaml`, canary(team)],
        [`tenants/${team}/settings.yaml`, config(team, 'settings', team)],
      ]),
    );
    await server.createRepo('config', { files });
    copy = join(root, 'copy');
    await runGit(['clone', '--quiet', server.repoUrl('config'), copy]);
    const settings = join(root, 'settings.yaml');
    const tenants = [
      // Whoever wrote the settings let it write too much: the API server knows better.
      { name: 'alfa', folder: `tenants/${alfa}`, namespaces: ['*'], 'service-account': `${alfa}/serin` },
      { name: 'bravo', folder: `tenants/${bravo}`, namespaces: [bravo], 'service-account': `${bravo}/serin` },
    ];
    await writeFile(settings, JSON.stringify({ tenants }));
    agent = startAgentProcess(
      {
        config: settings,
        kubeconfig: installation.agentKubeconfigPath,
        'git-url': server.repoUrl('config'),
        'git-dir': join(root, 'mirror'),
        'git-poll-interval': '1s',
        'min-interval': '1s',
        port: '0',
      },
      root,
    );
    closing.push(() => agent.stop());
    for (const team of [alfa, bravo])
      await until(`the app of ${team} runs`, 120_000, async () =>
        /^(Initialized|Succeeded)$/.test(await read(team, 'canary app', '{.status.phase}')),
      );
  });
  afterAll(async () => {
    for (const step of closing.reverse()) await step();
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(`--- the agent's log\n${agent.log()}---\n`);
  });

  it('let the agent act for their service accounts, and for no other', async () => {
    const may = async (namespace: string, account: string): Promise<string> => {
      const who = ['-n', namespace, '--as=system:serviceaccount:serin:serin'];
      return (
        await admin(['auth', 'can-i', 'impersonate', `serviceaccounts/${account}`, ...who]).catch(() => 'no')
      ).trim();
    };
    expect(await may(alfa, 'serin')).toBe('yes');
    expect(await may(alfa, 'default')).toMatch(/no$/);
    expect(await may('kube-system', 'serin')).toMatch(/no$/);
  });

  it.each([
    ['alfa', 'bravo'],
    ['bravo', 'alfa'],
  ])('%s attacks, and the release of %s goes through', async (name) => {
    const [own, other] = name === 'alfa' ? [alfa, bravo] : [bravo, alfa];
    const at = (file: string): string => `tenants/${own}/${file}`;
    const binding = `apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: more, namespace: ${own} }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin }
subjects: [{ kind: User, name: mallory, apiGroup: rbac.authorization.k8s.io }]
`;
    const attacks = {
      [at('0-hijack.yaml')]: config(other, 'settings', 'hijacked'),
      [at('0-new.yaml')]: config(other, 'new', 'hijacked'),
      [at('0-image.yaml')]: deployment(other, 'app', '3.1.2'),
      [at('agent.yaml')]: deployment('serin', 'thief', '3.1.0'),
      [at('namespace.yaml')]:
        `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${own}, labels: { pod-security.kubernetes.io/enforce: privileged } }\n`,
      [at('rights.yaml')]: binding,
      [at('root.yaml')]: deployment(own, 'root', '3.1.0', '          securityContext: { privileged: true }\n'),
      [at('own.yaml')]: config(own, 'own', '1'),
    };
    await push(`${name} attacks`, attacks);
    const startedMs = Date.now();
    await push('a release', { [`tenants/${other}/app.yaml`]: deployment(other, 'app', '3.1.1') });
    await until('the other one is promoted', 90_000, async () =>
      (await read(other, 'deployment app-primary', '{.spec.template.spec.containers[0].image}')).endsWith(':3.1.1'),
    );
    await until('Git says so', 60_000, async () =>
      (await runGit(['-C', server.repoPath('config'), 'log', '--format=%s', 'main'])).includes(`promote ${other}/app`),
    );
    expect(Date.now() - startedMs).toBeLessThan(90_000);

    // The settings refuse what bravo may not do; the API server what they let alfa do by mistake.
    const [taken, made] =
      name === 'bravo'
        ? [`may not write to namespace ${other}`, `may not write to namespace ${other}`]
        : ['is defined a second time', `system:serviceaccount:${own}:serin\\" cannot patch`];
    for (const file of ['0-hijack.yaml', '0-image.yaml']) await told(at(file), taken);
    await told(at('0-new.yaml'), made);
    await told(at('agent.yaml'), "is in the agent's own namespace");
    await told(at('namespace.yaml'), 'objects without a namespace');
    await told(at('rights.yaml'), 'objects of kind RoleBinding');
    expect(await read(other, 'configmap settings', '{.data.v}')).toBe(other);
    expect(await read(other, 'configmap new', '{.data.v}')).toBe('');
    expect(await read('serin', 'deployment thief', '{.metadata.name}')).toBe('');
    expect(await read(own, 'rolebinding more', '{.metadata.name}')).toBe('');
    expect(await read(own, `namespace ${own}`, '{.metadata.labels.pod-security\\.kubernetes\\.io/enforce}')).toBe(
      'restricted',
    );

    // What is its own is written in its name, and deleted; its privileged pods never run.
    await until('its own is there', 30_000, async () => (await read(own, 'configmap own', '{.data.v}')) === '1');
    await until('its privileged pods are refused', 60_000, async () =>
      (await read(own, 'events', '{.items[*].message}')).includes('violates PodSecurity "restricted'),
    );
    expect(await read(own, 'pods -l app=root', '{.items[*].metadata.name}')).toBe('');
    await push('peace', Object.fromEntries(Object.keys(attacks).map((path) => [path, null])));
    await until('its own is gone', 60_000, async () => (await read(own, 'configmap own', '{.data.v}')) === '');
  });
});
