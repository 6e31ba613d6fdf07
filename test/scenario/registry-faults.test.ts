import { chmod, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { type DoubleOptions, type RegistryDouble, startRegistryDouble } from '../helpers/registry-double.ts';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';
import { deploymentYaml, namespaceYaml } from './apps.ts';
import { onStage, patient, type Stage } from './stage.ts';

type Respond = (request: IncomingMessage, response: ServerResponse, url: string) => void;

/** What each registry does from a moment on, at which it has a new tag; and what the agent says of it, once. */
interface Fault {
  readonly answer: Respond;
  readonly says: RegExp;
}

const status =
  (code: number, headers: Record<string, string> = {}, body = 'body-of-the-server'): Respond =>
  (_, response) =>
    void response.writeHead(code, headers).end(body);

const faults: Readonly<Record<string, Fault>> = {
  'not-signed-in': {
    answer: status(401, { 'www-authenticate': 'Basic realm="realm-of-the-server"' }),
    says: /asks for a password, and none is known/,
  },
  forbidden: { answer: status(403), says: /answers 403/ },
  missing: { answer: status(404), says: /answers 404/ },
  'too-many': { answer: status(429, { 'retry-after': '20' }), says: /answers 429: there were too many requests/ },
  broken: { answer: status(500), says: /answers 500/ },
  'cut-off': {
    answer: (_, response) =>
      void response
        .writeHead(200, { 'content-length': '9000' })
        .write('{"tags": ["1.0.0", "1.1.0"', () => response.destroy()),
    says: /closed before/,
  },
  half: { answer: status(200, {}, '{"tags": ["1.0.0", "1.1.0", "1.'), says: /is no JSON, or only a part of it/ },
  'in-a-circle': {
    answer: (request, response) =>
      void response.writeHead(200, { link: `<${request.url ?? ''}>; rel="next"` }).end('{"tags": ["1.0.0", "1.1.0"]}'),
    says: /pages lead round in a circle/,
  },
  huge: {
    answer: status(200, {}, `{"tags": ["1.0.0", "1.1.0"${', "1.0.0"'.repeat(2_200_000)}]}`),
    says: /larger than/,
  },
  elsewhere: {
    answer: (_, response, url) =>
      status(302, { location: `${url.replace('127.0.0.1', 'localhost')}/v2/` })(_, response, url),
    says: /redirects to another server/,
  },
  'no-certificate': { answer: status(200), says: /TLS: self-signed certificate/ },
  hanging: {
    answer: status(401, { 'www-authenticate': 'Basic realm="x"' }),
    says: /docker-credential-hang gave no answer within/,
  },
  'half-a-list': {
    answer: status(200, {}, '{"tags": ["1.1.0"]}'),
    says: /Image stays at 1\.0\.0: the current tag "1\.0\.0" is not in the list/,
  },
  'another-platform': {
    answer: status(200),
    says: /Image stays at 1\.0\.0: 1\.1\.0 is not taken: it has no image for linux\/\w+, but for linux\/s390x/,
  },
  'built-elsewhere': {
    answer: status(200),
    says: /Image stays at 1\.0\.0: 1\.1\.0 is not taken: it has no image for linux\/\w+, but for linux\/riscv/,
  },
  'tag-is-gone': {
    answer: status(404),
    says: /A tag cannot be looked at, so nothing is upgraded: .*1\.1\.0: it answers 404/,
  },
};

const secrets = {
  password: 'password-of-the-pull-secret',
  wrong: 'wrong-word-of-the-pull-secret',
  helper: 'secret-of-the-helper',
  error: 'complaint-of-the-helper',
  file: 'password-of-the-config-file',
  token: 'token-of-the-token-server',
  body: 'body-of-the-server',
  realm: 'realm-of-the-server',
};

const automated = (name: string, image: string, spec = ''): string =>
  deploymentYaml({ name, tag: '1.0.0' })
    .replace('registry.test/podinfo', image)
    .replace(
      `  labels: { app: ${name} }\n`,
      `  labels: { app: ${name} }\n  annotations: { fluxcd.io/automated: "true", fluxcd.io/tag.podinfod: "semver:^1" }\n`,
    )
    .replace('      containers:\n', `${spec}      containers:\n`)
    .replace(/ {10}envFrom:[\s\S]*$/, '');

const pullSecret = (name: string, registry: string, password: string) => {
  const config = JSON.stringify({ auths: { [registry]: { username: 'ana', password } } });
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'test', name },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
  };
};

it(
  'a registry that is down, lies or lets nobody in changes nothing in Git, and says so once; no secret is told',
  async () => {
    const closing: (() => Promise<unknown>)[] = [];
    const doubles = new Map<string, RegistryDouble>();
    const open = async (name: string, options: DoubleOptions = {}): Promise<RegistryDouble> => {
      const double = await startRegistryDouble(options);
      closing.push(() => double.close());
      await double.push('team/app', '1.0.0');
      doubles.set(name, double);
      return double;
    };
    try {
      for (const name of Object.keys(faults)) if (name !== 'no-certificate') await open(name);
      const tls = (name: string): string => readFileSync(join(import.meta.dirname, '../../fixtures/tls', name), 'utf8');
      const server = createServer(
        { key: tls('localhost.key.pem'), cert: tls('localhost.cert.pem') },
        (_, response) => void response.end('{"tags": ["1.0.0", "1.1.0"]}'),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      closing.push(() => new Promise((resolve) => server.close(resolve)));
      const encrypted = `localhost:${(server.address() as AddressInfo).port}`;

      // Those that work, each signed in to in another way; and one whose password is wrong.
      const account = { username: 'ana', password: secrets.password };
      const bySecret = await open('by-secret', { signIn: { kind: 'bearer', ...account } });
      const byHelper = await open('by-helper', { signIn: { kind: 'basic', ...account, password: secrets.helper } });
      const byFile = await open('by-file', { signIn: { kind: 'basic', ...account, password: secrets.file } });
      const wrong = await open('wrong-password', { signIn: { kind: 'bearer', ...account } });

      const dir = await tempDir();
      closing.push(() => removeDir(dir));
      const helper = async (name: string, text: string): Promise<void> => {
        await writeFile(join(dir, `docker-credential-${name}`), `#!/bin/sh\n${text}\n`);
        await chmod(join(dir, `docker-credential-${name}`), 0o755);
      };
      await helper('hang', `echo ${secrets.helper}; echo ${secrets.error} >&2; exec sleep 600`);
      await helper('works', `echo ${secrets.error} >&2; echo '{"Username":"ana","Secret":"${secrets.helper}"}'`);
      const hanging = doubles.get('hanging')?.registry ?? '';
      await writeFile(
        join(dir, 'config.json'),
        JSON.stringify({
          auths: { [byFile.registry]: { username: 'ana', password: secrets.file } },
          credHelpers: { [hanging]: 'hang', [byHelper.registry]: 'works' },
        }),
      );

      const places = new Map([...doubles].map(([name, { registry }]) => [name, registry]));
      places.set('no-certificate', encrypted);
      const named = (secret: string): string => `      imagePullSecrets: [{ name: ${secret} }]\n`;
      const specs = new Map([
        ['by-secret', named('right')],
        ['wrong-password', named('wrong')],
      ]);
      const files = {
        'apps/all.yaml': [
          namespaceYaml(),
          ...[...places].map(([name, registry]) => automated(name, `${registry}/team/app`, specs.get(name))),
        ].join('---\n'),
      };
      const flags = {
        'registry-plain-http': [...doubles.values()].map(({ registry }) => registry).join(','),
        'registry-config-file': join(dir, 'config.json'),
        'image-interval': '10s',
      };
      await onStage(
        { files, flags, environment: { PATH: `${dir}:/usr/bin:/bin` }, started: false, hosts: [] },
        async (stage) => {
          stage.sandbox.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'test' } });
          for (const [name, registry, password] of [
            ['right', bySecret.registry, secrets.password],
            ['wrong', wrong.registry, secrets.wrong],
          ] as const)
            stage.sandbox.store.create(pullSecret(name, registry, password));
          await stage.start();
          const listed = async (): Promise<number> =>
            [...(await stage.agent.metrics()).matchAll(/^serin_image_list_timestamp_seconds\{.*\} [1-9]/gm)].length;
          // All but the one without a certificate and the one with a wrong password.
          await stage.until('first lists', async () => (await listed()) === places.size - 2);

          for (const [name, double] of doubles) {
            const fault = faults[name];
            const platforms =
              name === 'another-platform'
                ? { platforms: ['linux/s390x'] }
                : name === 'built-elsewhere'
                  ? { architecture: 'riscv64' }
                  : {};
            await double.push('team/app', '1.1.0', { ...platforms, seed: 'new' });
            if (!fault || 'platforms' in platforms || 'architecture' in platforms) continue;
            double.answerFirst((request, response) => {
              if (name === 'tag-is-gone' && request.url?.includes('/manifests/') !== true) return false;
              fault.answer(request, response, double.url);
              return true;
            });
          }
          const works = ['by-secret', 'by-helper', 'by-file'];
          const subjects = async (): Promise<readonly string[]> =>
            (await stage.run('log', '--format=%s', '--grep=^Policy: ', 'main')).split('\n').filter(Boolean);
          await stage.untilPushed(
            'those that work are upgraded',
            async () => (await subjects()).length >= works.length,
          );
          await stage.until('all faults are told', () =>
            Object.values(faults).every(({ says }) => stage.log.some(({ msg }) => says.test(msg))),
          );
          // Each is looked at again a few times.
          await stage.restsFor(100_000);
          expect([...(await subjects())].sort((a, b) => (a < b ? -1 : 1))).toEqual(
            works.toSorted((a, b) => (a < b ? -1 : 1)).map((name) => `upgrade test/${name} 1.0.0 -> 1.1.0 (semver:^1)`),
          );
          const told = stage.log.filter(({ level }) => level !== 'debug');
          for (const [name, { says }] of Object.entries(faults))
            expect(told.filter(({ msg }) => says.test(msg) && isOf(msg, name, places)).length, name).toBe(1);
          const asked = (name: string): number =>
            doubles.get(name)?.requests.filter(({ path }) => path.includes('/tags/')).length ?? 0;
          for (const name of ['forbidden', 'missing', 'half', 'in-a-circle'])
            expect(asked(name), name).toBeGreaterThan(3);

          const seen = await everythingTold(stage);
          for (const [name, secret] of Object.entries(secrets)) {
            expect(seen.includes(secret), name).toBe(false);
            expect(seen.includes(Buffer.from(`ana:${secret}`).toString('base64')), name).toBe(false);
          }
          // It would have been seen: this is told.
          expect(seen).toContain('upgrade test/by-secret');
          expect(seen).toContain('serin_registry_requests_total');
        },
      );
    } finally {
      for (const close of closing.reverse()) await close();
    }
  },
  patient.timeout,
);

/** Of the lines that name an image those of its registry; others name no registry. */
function isOf(message: string, name: string, places: ReadonlyMap<string, string>): boolean {
  const others = [...places.values()].filter((registry) => message.includes(registry));
  return others.length === 0 || others.includes(places.get(name) ?? '');
}

/** All that anybody can read of what the agent knows: its log, events, metrics, what it keeps, and the whole of Git. */
async function everythingTold(stage: Stage): Promise<string> {
  const events = stage.sandbox.store.list('v1', 'Event');
  const kept = stage.sandbox.store.list('v1', 'Secret').flatMap(({ metadata, data }) => {
    const text = metadata.name.startsWith('serin-image-tags') ? (data as { tags?: string }).tags : undefined;
    return text === undefined ? [] : [gunzipSync(Buffer.from(text, 'base64')).toString('utf8')];
  });
  expect(kept.length).toBeGreaterThan(0);
  return [
    JSON.stringify(stage.log),
    JSON.stringify(events),
    await stage.agent.metrics(),
    await stage.run('log', '--all', '-p', '--format=fuller'),
    ...kept,
  ].join('\n');
}
