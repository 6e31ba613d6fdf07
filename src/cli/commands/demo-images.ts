import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from '../../lib/errors.ts';
import { jsonOf } from '../../lib/json.ts';
import { type ImageRegistry, startImageRegistry } from '../../sandbox/image-registry.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { type Stage, type StageSetup, setStage } from '../demo/stage.ts';
import { awaited, type Patience, printGit, tellCanaries } from '../demo/told.ts';
import { showCanary, type View } from '../demo/view.ts';
import { projectRoot } from '../sandbox/ground.ts';
import { images } from './images.ts';

const deadlineMs = 180_000;
const host = 'frontend.test.example.test';
/** What the pipeline of the image's own repository pushes, and how it has to end. */
const acts = [
  { tag: '1.4.1', title: 'a patch release', verdict: 'promoted' },
  { tag: '1.4.2', title: 'one that is broken', verdict: 'rolled-back' },
  { tag: '1.4.3', title: 'its fix', verdict: 'promoted' },
] as const;
const outside = '1.5.0';
/** Of the metrics, in which errors of the version before are still counted. */
const windowMs = 10_000;

/** `serin demo --images`: from an image that a pipeline pushes to its promotion, and to the revert of a broken one. Exit code 0 only if all ended as told. */
export async function demoImages(context: CommandContext, { helm }: { readonly helm: string }): Promise<number> {
  const { output, signal, environment } = context;
  const { colour } = output;
  const end = new AbortController();
  const closing: (() => Promise<unknown>)[] = [];
  let asTold = true;
  let repoPath = '';
  output.line(colour.bold('Serin: new tags of an image become releases'));
  output.line('Starting a registry of images, a Git server, an embedded cluster, traffic and the agent ...');
  try {
    const dir = await mkdtemp(join(tmpdir(), 'serin-demo-registry-'));
    closing.push(() => rm(dir, { recursive: true, force: true }));
    const registry = await startImageRegistry(dir);
    closing.push(() => registry.stop());
    await registry.push('podinfo', '1.4.0');
    const chat = await startChat((text) => output.line(`  ${colour.dim('10')}  Slack #releases: ${text}`));
    closing.push(() => chat.stop());
    const program = await helmIn(helm, environment);
    output.line(
      `The registry is ${registry.kind === 'sandbox' ? "the sandbox's own" : registry.kind}; ${program === undefined ? 'there is no helm, so the app is plain manifests' : 'the app is a HelmRelease, its chart is rendered by helm'}.`,
    );
    const stage = await setStage(setupOf(registry, chat.url, program, environment), signal);
    closing.push(() => stage.stop());
    repoPath = stage.repoPath;
    const patience = { startedMs: Date.now(), deadlineMs, signal };
    const view = showCanary(
      stage.cluster,
      'test',
      'frontend',
      output,
      () => stage.load.counts(),
      AbortSignal.any([signal, end.signal]),
    );
    closing.push(() => Promise.resolve(view.close()));
    await awaited(
      async () => view.canary().phase === 'Initialized' && (await subjects(stage)).includes('adopt test/frontend'),
      'the first version runs, and Git says so',
      patience,
    );
    for (const act of acts) asTold = (await play(context, { stage, view, registry, patience }, act)) && asTold;
    asTold = (await playOutside(context, stage, registry)) && asTold;
    view.close();
    await epilogue(context, stage, { registry, helm: program ?? '' });
  } catch (error) {
    if (!signal.aborted) {
      if (!(error instanceof AgentError)) throw error;
      output.line(colour.red(error.message));
    }
    asTold = false;
  } finally {
    end.abort(new Error('the demo is over'));
    for (const step of closing.toReversed()) await step();
  }
  if (!asTold) output.line(colour.red('Not everything ended as told.'));
  output.line(repoPath);
  return asTold ? exitCodes.done : exitCodes.failed;
}

interface Scene {
  readonly stage: Stage;
  readonly view: View;
  readonly registry: ImageRegistry;
  readonly patience: Patience;
}

async function play(
  { output, signal }: CommandContext,
  { stage, view, registry, patience }: Scene,
  { tag, title, verdict }: (typeof acts)[number],
): Promise<boolean> {
  const { colour } = output;
  const done = (await outcomes(stage)).length;
  const before = (await upgraded(stage)).length;
  await registry.push('podinfo', tag);
  output.line();
  output.line(colour.bold(`» ${tag}, ${title}`));
  output.line(`  ${colour.dim('1-2')} CI builds and pushes ${registry.registry}/podinfo:${tag}`);
  await awaited(async () => (await upgraded(stage)).length > before, `a commit with ${tag}`, patience);
  output.line(`  ${colour.dim('3-4')} in Git: ${colour.bold((await upgraded(stage))[0] ?? '')}`);
  output.line(`  ${colour.dim('5-8')} applied, and judged:`);
  await awaited(async () => (await outcomes(stage)).length > done, `an outcome of ${tag} in Git`, patience);
  await awaited(
    () => ['Succeeded', 'Failed'].includes(view.canary().phase),
    `the end of the release of ${tag}`,
    patience,
  );
  const [latest = ''] = await outcomes(stage);
  const [found = '', subject = ''] = latest.split('\t');
  const mark = found === verdict ? colour.green('✔') : colour.red('✘');
  output.line(`${mark} ${colour.dim('9')}   in Git: ${colour.bold(subject)} ${colour.dim(`(Verdict: ${found})`)}`);
  // Alerts are on their way.
  await sleep(500, undefined, { signal });
  if (found === 'rolled-back') {
    output.line(colour.dim(`  waiting ${windowMs / 1_000} s, until its errors have left the window of the metrics`));
    await sleep(windowMs, undefined, { signal });
  }
  return found === verdict;
}

async function playOutside(
  { output, signal }: CommandContext,
  stage: Stage,
  registry: ImageRegistry,
): Promise<boolean> {
  const { colour } = output;
  const before = await stage.git('rev-parse', 'main');
  await registry.push('podinfo', outside);
  output.line();
  output.line(colour.bold(`» ${outside}, outside of ~1.4`));
  output.line(`  ${colour.dim('1-2')} CI builds and pushes ${registry.registry}/podinfo:${outside}`);
  await sleep(6_000, undefined, { signal });
  const isLeft = (await stage.git('rev-parse', 'main')) === before;
  output.line(`${isLeft ? colour.green('✔') : colour.red('✘')}     nothing is written to Git in 6 s`);
  return isLeft;
}

async function epilogue(
  context: CommandContext,
  stage: Stage,
  { registry: { registry }, helm }: { readonly registry: ImageRegistry; readonly helm: string },
): Promise<void> {
  const { output } = context;
  const { heading, print } = printGit(output);
  heading('$ serin images test/frontend');
  await images(context, 'test/frontend', { folder: stage.clone, registryPlainHttp: registry, helm, kustomize: '' });
  heading("$ git log --format='%h %an: %s'");
  print(await stage.git('log', '--format=%h %an: %s', 'main'));
  const last = (await stage.git('log', '--grep=^Policy: ', '--format=%H', '-1', 'main')).trim();
  heading('$ git show   # the last upgrade, in full');
  print(await stage.git('show', '--patch', '--format=fuller', last));
  await tellCanaries(output, stage);
  output.line();
  output.line('  the repository stays: git clone of the path in the last line');
  output.line(`  the agent's log: ${stage.logPath}`);
  output.line();
}

/** Newest first. */
const subjects = async (stage: Stage): Promise<readonly string[]> =>
  (await stage.git('log', '--format=%s', 'main')).split('\n');

/** Subjects of the commits by which policies moved images on, newest first. */
const upgraded = async (stage: Stage): Promise<readonly string[]> =>
  (await stage.git('log', '--grep=^Policy: ', '--format=%s', 'main')).split('\n').filter((line) => line !== '');

/** Verdict and subject, newest first. */
async function outcomes(stage: Stage): Promise<readonly string[]> {
  const text = await stage.git('log', '--format=%(trailers:key=Verdict,valueonly,separator=%x2C)%x09%s', 'main');
  return text.split('\n').filter((line) => /^(promoted|rolled-back)\t/.test(line));
}

/** The program; undefined: it is not there, or none of version 3. */
async function helmIn(program: string, environment: CommandContext['environment']): Promise<string | undefined> {
  if (program === '') return undefined;
  const run = promisify(execFile);
  const answer = await run(program, ['version', '--short'], { env: { ...environment }, timeout: 10_000 }).catch(
    () => undefined,
  );
  return answer?.stdout.startsWith('v3.') ? program : undefined;
}

function setupOf(
  { registry }: ImageRegistry,
  slackUrl: string,
  helm: string | undefined,
  environment: CommandContext['environment'],
): StageSetup {
  const flags = {
    'git-path': '',
    'image-interval': '1s',
    'registry-plain-http': registry,
    'slack-url': slackUrl,
    'slack-channel': 'releases',
    kustomize: '',
    helm: helm ?? '',
  };
  return {
    host,
    flags,
    environment,
    files: (repoUrl) => (helm === undefined ? plainFiles(registry) : chartFiles(registry, repoUrl)),
  };
}

const chartFolder = new URL('fixtures/helm/podinfo-repository/', projectRoot);

async function chartFiles(registry: string, repoUrl: string): Promise<Readonly<Record<string, string>>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(chartFolder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(chartFolder.pathname.length);
    // One app is enough to watch.
    if (!entry.isFile() || name === 'releases/test/backend.yaml') continue;
    const text = await readFile(path, 'utf8');
    if (name !== 'releases/test/frontend.yaml') files[name] = text.replace('interval: 30s', 'interval: 10s');
    else
      files[name] = text
        .replace('https://git.example.org/team/releases', repoUrl)
        .replace('registry.test/podinfo', `${registry}/podinfo`)
        .replace('tag: 3.1.0', 'tag: 1.4.0')
        .replace('semver:~3.1', 'semver:~1.4')
        .replace('      enabled: true\n', '      enabled: true\n      interval: 2s\n      stepWeights: [20, 40, 60]\n');
  }
  return files;
}

async function plainFiles(registry: string): Promise<Readonly<Record<string, string>>> {
  const app = await readFile(new URL('fixtures/demo/images/frontend.yaml', projectRoot), 'utf8');
  return {
    'namespaces/test.yaml': await readFile(new URL('namespaces/test.yaml', chartFolder), 'utf8'),
    'releases/test/frontend.yaml': app.replace('registry.test/podinfo', `${registry}/podinfo`),
  };
}

/** Takes what the agent would send to Slack. */
async function startChat(tell: (text: string) => void): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.end('ok');
      const { attachments } = jsonOf(JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown);
      const [first] = Array.isArray(attachments) ? attachments : [];
      const { author_name: name, text } = jsonOf(first);
      tell([name, text].filter((part) => typeof part === 'string').join(' '));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
