import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, imageOf, type PushOptions } from './registry-double.ts';
import { freePort, listens } from './listener.ts';

/** The registry of the distribution project on loopback, over HTTP, with what it stores in a folder. */
export interface DockerRegistry {
  /** `127.0.0.1:PORT` */
  readonly registry: string;
  /** Pushes an image over the API; the digest of its manifest. */
  push(repository: string, tag: string, options?: PushOptions): Promise<string>;
  stop(): Promise<void>;
}

const places = ['/usr/bin/docker-registry', '/usr/local/bin/registry', '/usr/local/bin/docker-registry'];

/** Undefined: this machine has none. */
export const dockerRegistryPath = places.find((path) => existsSync(path));

export interface DockerRegistryOptions {
  /** For its files; made by the caller and removed by it. */
  readonly dir: string;
  /** A line of an htpasswd file, with whom it is. */
  readonly signIn?: { readonly username: string; readonly password: string; readonly htpasswd: string };
  /** URL that hears of pushes. Absent: nobody does. */
  readonly tells?: string;
}

export async function startDockerRegistry({ dir, signIn, tells }: DockerRegistryOptions): Promise<DockerRegistry> {
  if (dockerRegistryPath === undefined) throw new Error('there is no registry here');
  const port = await freePort();
  const config = join(dir, 'registry.json');
  if (signIn) await writeFile(join(dir, 'htpasswd'), `${signIn.htpasswd}\n`);
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(dir, 'store') } },
      http: { addr: `127.0.0.1:${port}` },
      ...(tells === undefined
        ? {}
        : { notifications: { endpoints: [{ name: 'it', url: tells, timeout: '1s', threshold: 1, backoff: '1s' }] } }),
      ...(signIn ? { auth: { htpasswd: { realm: 'here', path: join(dir, 'htpasswd') } } } : {}),
    }),
  );
  const child = spawn(dockerRegistryPath, ['serve', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { OTEL_TRACES_EXPORTER: 'none' },
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await listens({ name: 'the registry', port, exitCode: () => child.exitCode, log: () => log });
  const base = `http://127.0.0.1:${port}/v2`;
  const headers: Record<string, string> = signIn
    ? { authorization: `Basic ${Buffer.from(`${signIn.username}:${signIn.password}`).toString('base64')}` }
    : {};
  const put = async (url: string, body: string, type: string): Promise<void> => {
    const answer = await fetch(url, { method: 'PUT', body, headers: { ...headers, 'content-type': type } });
    if (answer.status !== 201) throw new Error(`PUT ${url}: ${answer.status} ${await answer.text()}`);
  };
  return {
    registry: `127.0.0.1:${port}`,
    async push(repository, tag, options) {
      const { blobs, manifests } = imageOf(tag, options);
      for (const blob of blobs) {
        const begun = await fetch(`${base}/${repository}/blobs/uploads/`, { method: 'POST', headers });
        const upload = new URL(begun.headers.get('location') ?? '', base);
        upload.searchParams.set('digest', digestOf(blob));
        await put(upload.href, blob, 'application/octet-stream');
      }
      for (const [index, { type, body }] of manifests.entries()) {
        const name = index === manifests.length - 1 ? tag : digestOf(body);
        await put(`${base}/${repository}/manifests/${name}`, body, type);
      }
      return digestOf(manifests.at(-1)?.body ?? '');
    },
    async stop() {
      child.kill('SIGTERM');
      await gone;
    },
  };
}
