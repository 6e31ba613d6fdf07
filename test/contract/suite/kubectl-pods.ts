import { type ChildProcess, spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { Json } from '../cluster-api.ts';
import type { Given, Output } from '../cluster-under-test.ts';

const busybox = 'registry.test:5000/busybox:1.35';
const stays = 'trap exit TERM; while true; do sleep 1; done';

function pod(name: string, containers: readonly Json[], spec: Json = {}): Json {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { terminationGracePeriodSeconds: 1, containers, ...spec },
  };
}

/** What kubectl does with pods that run: logs, exec, port-forward. */
export function kubectlOnPods(given: Given): void {
  const kubectl = async (...args: string[]): Promise<string> => {
    const output: Output = await given().kubectl(args);
    expect(output, output.stderr).toMatchObject({ code: 0 });
    return output.stdout;
  };
  const refused = async (...args: string[]): Promise<Output> => {
    const output = await given().kubectl(args);
    expect(output.code, output.stdout).not.toBe(0);
    return output;
  };
  const create = async (namespace: string, ...pods: Json[]): Promise<void> => {
    for (const one of pods) await given().api.call('POST', `/api/v1/namespaces/${namespace}/pods`, one);
  };
  const isReady = (namespace: string, name: string): Promise<string> =>
    kubectl('-n', namespace, 'wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');

  describe('logs', () => {
    test('are of one container, of all its lines, its last, or those that follow', () =>
      given().inNamespace(async (ns) => {
        const says = { name: 'says', image: busybox, command: ['sh', '-c', `echo one; echo two; sleep 2; echo three`] };
        const app = { name: 'app', image: given().images.first };
        await create(ns, pod('two', [says, app], { restartPolicy: 'Never' }));
        await kubectl('-n', ns, 'wait', '--for=jsonpath={.status.phase}=Running', 'pod/two', '--timeout=60s');
        expect(await kubectl('-n', ns, 'logs', '--follow', 'two', '--container=says')).toBe('one\ntwo\nthree\n');
        expect(await kubectl('-n', ns, 'logs', 'two', '-c', 'says', '--tail=1')).toBe('three\n');
        expect(await kubectl('-n', ns, 'logs', 'two', '-c', 'says', '--limit-bytes=5')).toBe('one\nt');
        expect(await kubectl('-n', ns, 'logs', 'two', '-c', 'says', '--tail=1', '--timestamps')).toMatch(
          /^\d{4}-\d\d-\d\dT\S+Z three\n$/,
        );
        expect((await refused('-n', ns, 'logs', 'two', '-c', 'other')).stderr).toContain(
          'container other is not valid for pod two',
        );
        expect((await refused('-n', ns, 'logs', 'two', '-c', 'app', '--previous')).stderr).toContain(
          'previous terminated container "app" in pod "two" not found',
        );
      }));

    test('--previous are of the run before', () =>
      given().inNamespace(async (ns) => {
        await create(ns, pod('dies', [{ name: 'app', image: busybox, command: ['sh', '-c', 'echo dying; exit 3'] }]));
        const waits = 'jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff';
        await kubectl('-n', ns, 'wait', `--for=${waits}`, 'pod/dies', '--timeout=60s');
        expect(await kubectl('-n', ns, 'logs', 'dies', '--previous')).toBe('dying\n');
      }));

    test('of a container that waits for its image are refused', () =>
      given().inNamespace(async (ns) => {
        await create(ns, pod('waits', [{ name: 'app', image: given().images.missing }]));
        const waits = 'jsonpath={.status.containerStatuses[0].state.waiting.reason}';
        await kubectl('-n', ns, 'wait', `--for=${waits}=ImagePullBackOff`, 'pod/waits', '--timeout=60s');
        expect((await refused('-n', ns, 'logs', 'waits')).stderr).toContain(
          'container "app" in pod "waits" is waiting to start: trying and failing to pull image',
        );
      }));
  });

  describe.each([
    ['WebSockets', 'true'],
    ['SPDY', 'false'],
  ])('over %s', (_, webSockets) => {
    const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: webSockets, KUBECTL_PORT_FORWARD_WEBSOCKETS: webSockets };

    test('exec runs a command with its output, its input and its exit code', () =>
      given().inNamespace(async (ns) => {
        const shell = { name: 'app', image: busybox, command: ['sh', '-c', stays], env: [{ name: 'A', value: 'b' }] };
        await create(ns, pod('shell', [shell]));
        await isReady(ns, 'shell');
        const exec = (words: readonly string[], input?: string): Promise<Output> =>
          given().kubectl(['-n', ns, 'exec', ...(input === undefined ? [] : ['-i']), 'shell', '--', ...words], {
            env,
            ...(input === undefined ? {} : { input }),
          });
        expect(await exec(['env'])).toMatchObject({ code: 0, stdout: expect.stringContaining('A=b\n') as string });
        expect(await exec(['sh', '-c', 'echo "$A" | cat && exit 3'])).toMatchObject({
          code: 3,
          stdout: 'b\n',
          stderr: expect.stringContaining('command terminated with exit code 3') as string,
        });
        expect(await exec(['cat'], 'what goes in\ncomes out')).toMatchObject({
          code: 0,
          stdout: 'what goes in\ncomes out',
        });
        expect(await exec(['ls', '/not/there'])).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('ls: /not/there: No such file or directory') as string,
        });
        const absent = await exec(['not-there']);
        expect(absent.code).not.toBe(0);
        expect(absent.stderr).toContain('exec: "not-there": executable file not found in $PATH');
      }));

    test('port-forward leads to a port of a pod, many times', () =>
      given().inNamespace(async (ns) => {
        await create(ns, pod('app', [{ name: 'app', image: given().images.first, ports: [{ containerPort: 9898 }] }]));
        await isReady(ns, 'app');
        await forwarded(given(), ['-n', ns, 'pod/app', ':9898'], env, async (url) => {
          const answers = await Promise.all(Array.from({ length: 8 }, () => fetch(`${url}/readyz`)));
          expect(answers.map(({ status }) => status)).toEqual(Array<number>(8).fill(200));
        });
      }));
  });

  test('port-forward says what is wrong with a port where nothing listens', () =>
    given().inNamespace(async (ns) => {
      await create(ns, pod('app', [{ name: 'app', image: given().images.first }]));
      await isReady(ns, 'app');
      const said = await forwarded(given(), ['-n', ns, 'pod/app', ':1234'], {}, async (url) => {
        await expect(fetch(url)).rejects.toThrow();
      });
      expect(said).toMatch(/error forwarding port 1234/);
    }));
}

/** Runs a port-forward while `use` has it. Gives what it wrote on standard error. */
async function forwarded(
  { kubeconfigPath }: { kubeconfigPath: string },
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  use: (url: string) => Promise<void>,
): Promise<string> {
  const child: ChildProcess = spawn('kubectl', ['port-forward', ...words], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', KUBECONFIG: kubeconfigPath, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, wrong] = ['', ''];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (wrong += text));
  try {
    const port = await new Promise<string>((resolve, reject) => {
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        out += text;
        const found = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(out)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once('exit', () => reject(new Error(`port-forward has ended: ${wrong}`)));
    });
    await use(`http://127.0.0.1:${port}`);
    const deadlineMs = Date.now() + 2_000;
    while (wrong === '' && words.includes(':1234') && Date.now() < deadlineMs)
      await new Promise((resolve) => setTimeout(resolve, 20));
    return wrong;
  } finally {
    child.kill();
  }
}
