import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { openRegistries } from '../../src/cli/registries.ts';
import { readReference } from '../../src/images/reference.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createCredentialHelpers } from '../../src/registry/credential-helper.ts';
import { Failed } from '../../src/registry/failure.ts';
import { manualClock } from '../helpers/manual-clock.ts';
import { startRegistryDouble } from '../helpers/registry-double.ts';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';

const { signal } = new AbortController();
const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** A folder with programs of these texts; each tells in a file what it was asked. */
async function programs(texts: Readonly<Record<string, string>>): Promise<{
  readonly dir: string;
  readonly environment: Record<string, string>;
  readonly asked: () => Promise<readonly string[]>;
}> {
  const dir = await tempDir();
  opened.push(() => removeDir(dir));
  for (const [name, text] of Object.entries(texts)) {
    const path = join(dir, `docker-credential-${name}`);
    await writeFile(path, `#!/bin/sh\nread -r server\necho "$* $server" >> "${dir}/asked"\n${text}\n`);
    await chmod(path, 0o755);
  }
  return {
    dir,
    environment: { PATH: `${dir}:/usr/bin:/bin`, HOME: dir },
    asked: async () =>
      (await readFile(join(dir, 'asked'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
  };
}
const says = (value: object): string => `cat <<'END'\n${JSON.stringify(value)}\nEND`;

describe('A credential helper', () => {
  it('is asked for a registry by its protocol, once for many', async () => {
    const { environment, asked } = await programs({
      pass: says({ ServerURL: 'x', Username: 'ana', Secret: 'word-of-the-test' }),
      identity: says({ Username: '<token>', Secret: 'token-of-the-test' }),
      nothing: 'echo "credentials not found in native keychain"; exit 1',
    });
    const clock = manualClock();
    const helpers = createCredentialHelpers({ clock, environment });
    const both = await Promise.all([1, 2].map(() => helpers.lookUp('pass', 'ghcr.io', signal)));
    expect(both).toEqual([1, 2].map(() => ({ kind: 'basic', username: 'ana', password: 'word-of-the-test' })));
    expect(await helpers.lookUp('identity', 'docker.io', signal)).toEqual({
      kind: 'identity',
      token: 'token-of-the-test',
    });
    expect(await helpers.lookUp('nothing', 'quay.io', signal)).toBeUndefined();
    expect([...(await asked())].sort()).toEqual(['get ghcr.io', 'get https://index.docker.io/v1/', 'get quay.io']);
    clock.advance(11 * 60_000);
    await helpers.lookUp('pass', 'ghcr.io', signal);
    expect(await asked()).toHaveLength(4);
    // What a registry does not take is asked for again, but not what was said just now.
    helpers.refused('pass', 'ghcr.io');
    await helpers.lookUp('pass', 'ghcr.io', signal);
    expect(await asked()).toHaveLength(4);
    clock.advance(2 * 60_000);
    helpers.refused('pass', 'ghcr.io');
    await helpers.lookUp('pass', 'ghcr.io', signal);
    expect(await asked()).toHaveLength(5);
  });

  it.each<[what: string, text: string, reason: string]>([
    ['hangs', 'sleep 60', 'gave no answer within 0.3 s'],
    ['leaves something behind that holds its output', '(sleep 60 &) ; sleep 60', 'gave no answer within 0.3 s'],
    ['ends, and what it started does not', 'sleep 60 &', 'gave no answer within 0.3 s'],
    ['writes without end', 'yes secret-of-the-helper', 'wrote more than 64 KiB'],
    ['fails', 'echo secret-of-the-helper; echo secret-of-the-helper >&2; exit 3', 'ended with code 3'],
    ['says something else', 'echo secret-of-the-helper', 'gave no credentials'],
    ['says half of it', `echo '{"Username":"ana"'`, 'gave no credentials'],
    ['says no secret', says({ Username: 'ana', Secret: '' }), 'gave no credentials'],
    ['says a number', says({ Username: 'ana', Secret: 7 }), 'gave no credentials'],
  ])('that %s is a clear failure, and gone', async (_, text, reason) => {
    const { environment, dir } = await programs({ odd: `echo $$ > "$HOME/pid"\n${text}` });
    const helpers = createCredentialHelpers({ clock: systemClock, environment, timeoutMs: 300 });
    const beganMs = performance.now();
    const error = await helpers.lookUp('odd', 'ghcr.io', signal).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(Failed);
    expect(String(error)).toContain(`docker-credential-odd ${reason}`);
    expect(String(error)).not.toContain('secret-of-the-helper');
    expect(performance.now() - beganMs).toBeLessThan(5_000);
    const pid = Number(await readFile(join(dir, 'pid'), 'utf8'));
    for (let tries = 0; isAlive(-pid) && tries < 100; tries += 1) await sleep(20);
    expect(isAlive(-pid)).toBe(false);
    // Others that need it at the same time are told the same without another start.
    await expect(helpers.lookUp('odd', 'ghcr.io', signal)).rejects.toBe(error);
  });

  it('that is not there, or has no name of a program, is started by nobody', async () => {
    const { environment } = await programs({});
    const helpers = createCredentialHelpers({ clock: systemClock, environment });
    await expect(helpers.lookUp('missing', 'ghcr.io', signal)).rejects.toThrow('is not in PATH');
    for (const name of ['../../bin/sh', 'a b', '-x', 'x;y', ''])
      await expect(helpers.lookUp(name, 'ghcr.io', signal)).rejects.toThrow('name of its credential helper');
  });

  it('ends with whoever asked', async () => {
    const { environment } = await programs({ slow: 'sleep 60' });
    const ending = new AbortController();
    const helpers = createCredentialHelpers({ clock: systemClock, environment });
    const asked = helpers.lookUp('slow', 'ghcr.io', ending.signal);
    setTimeout(() => ending.abort(new Error('stopped')), 50);
    await expect(asked).rejects.toThrow('stopped');
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('The operator’s Docker configuration', () => {
  it('signs in by what stands in it and by its helpers; a helper gets nothing of the agent’s settings', async () => {
    const account = { username: 'ana', password: 'word-of-the-test' };
    const [byFile, byHelper, byStore] = await Promise.all(
      [1, 2, 3].map(() => startRegistryDouble({ signIn: { kind: 'bearer', ...account } })),
    );
    if (!byFile || !byHelper || !byStore) throw new Error('no registries');
    const doubles = [byFile, byHelper, byStore];
    for (const double of doubles) {
      opened.push(() => double.close());
      await double.push('team/app', '1.0.0');
    }
    const secret = says({ Username: account.username, Secret: account.password });
    const { dir, environment } = await programs({
      mine: `env > "$HOME/environment"\n${secret}`,
      all: `case "$server" in ${byFile.registry}) echo "credentials not found in native keychain"; exit 1;; esac\n${secret}`,
    });
    const file = join(dir, 'config.json');
    await writeFile(
      file,
      JSON.stringify({
        auths: { [byFile.registry]: account },
        credHelpers: { [byHelper.registry]: 'mine' },
        credsStore: 'all',
      }),
    );
    const registries = openRegistries(
      {
        'registry-plain-http': doubles.map(({ registry }) => registry),
        'registry-config-file': file,
      },
      { clock: systemClock, environment: { ...environment, SERIN_SLACK_URL: 'secret-of-the-agent' } },
    );
    opened.push(() => registries.close());
    for (const { registry } of doubles) {
      const reference = readReference(`${registry}/team/app`);
      if ('problem' in reference) throw new Error(reference.problem);
      expect(await registries.client.tags(reference, {}, signal), registry).toMatchObject({ kind: 'answer' });
    }
    const seen = await readFile(join(dir, 'environment'), 'utf8');
    expect(seen).toContain('PATH=');
    expect(seen).not.toContain('secret-of-the-agent');
  });

  it.each([
    ['is missing', undefined, 'cannot be read'],
    ['is no JSON', 'secret-in-the-file', 'it is no JSON'],
  ])('that %s is told of each registry that asks for a password, and of no other', async (_, text, reason) => {
    const closed = await startRegistryDouble({ signIn: { kind: 'basic', username: 'a', password: 'b' } });
    const open = await startRegistryDouble({});
    for (const double of [closed, open]) opened.push(() => double.close());
    await open.push('team/app', '1.0.0');
    const dir = await tempDir();
    opened.push(() => removeDir(dir));
    const file = join(dir, 'config.json');
    if (text !== undefined) await writeFile(file, text);
    const registries = openRegistries(
      { 'registry-plain-http': [closed.registry, open.registry], 'registry-config-file': file },
      { clock: systemClock },
    );
    opened.push(() => registries.close());
    const list = (registry: string) => {
      const reference = readReference(`${registry}/team/app`);
      if ('problem' in reference) throw new Error(reference.problem);
      return registries.client.tags(reference, {}, signal);
    };
    expect(await list(open.registry)).toMatchObject({ kind: 'answer' });
    const refused = await list(closed.registry);
    expect(refused).toMatchObject({ why: 'sign-in', reason: expect.stringContaining(reason) as string });
    expect(JSON.stringify(refused)).not.toContain('secret-in');
  });
});
