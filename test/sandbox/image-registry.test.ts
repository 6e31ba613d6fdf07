import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRegistries } from '../../src/cli/registries.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { startImageRegistry } from '../../src/sandbox/image-registry.ts';
import { dockerRegistryPath } from '../helpers/docker-registry.ts';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';

let dir: string;
let path: string | undefined;
beforeEach(async () => {
  dir = await tempDir();
  path = process.env['PATH'];
});
afterEach(async () => {
  process.env['PATH'] = path;
  await removeDir(dir);
});

const signal = new AbortController().signal;

async function told(): Promise<unknown> {
  const registry = await startImageRegistry(join(dir, 'registry'));
  const opened = openRegistries({ 'registry-plain-http': [registry.registry] }, { clock: systemClock });
  const { client } = opened;
  try {
    const digest = await registry.push('team/podinfo', '1.4.0');
    await registry.push('team/podinfo', '1.4.1');
    const image = { registry: registry.registry, repository: 'team/podinfo', tag: '1.4.0' };
    const created = await client.created(image, {}, signal);
    return {
      kind: registry.kind,
      tags: await client.tags(image, {}, signal),
      isDigest: ((await client.digest(image, {}, signal)) as { value?: unknown }).value === digest,
      isMade: created.kind === 'answer' && Math.abs((created.value ?? 0) - Date.now()) < 60_000,
      missing: await client.digest({ ...image, tag: '9' }, {}, signal),
      unknown: await client.tags({ ...image, repository: 'team/none' }, {}, signal),
    };
  } finally {
    await opened.close();
    await registry.stop();
  }
}

const as = (kind: string): object => ({
  kind,
  tags: { kind: 'answer', value: { tags: expect.arrayContaining(['1.4.0', '1.4.1']) as unknown } },
  isDigest: true,
  isMade: true,
  missing: { kind: 'failed', why: 'missing' },
  unknown: { kind: 'failed', why: 'missing' },
});

describe('the registry of the sandbox', () => {
  it('answers as a real one to all that the agent asks', async () => {
    // A machine that has no program.
    const empty = join(dir, 'bin');
    await mkdir(empty);
    process.env['PATH'] = empty;
    expect(await told()).toMatchObject(as('sandbox'));
  });

  it.skipIf(dockerRegistryPath === undefined)('is the real one where the machine has it', async () => {
    expect(await told()).toMatchObject(as('docker-registry'));
  });

  it('is its own where the program does not run', async () => {
    const bin = join(dir, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'docker-registry'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    process.env['PATH'] = `${bin}:/bin`;
    expect(await told()).toMatchObject(as('sandbox'));
  });
});
