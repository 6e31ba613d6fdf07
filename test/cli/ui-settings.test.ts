import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { uiSettings } from '../../src/cli/ui-settings.ts';
import { readSettings } from '../../src/config/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'serin-ui-settings-'));
function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
const read = (flags: Readonly<Record<string, string>>) =>
  uiSettings(readSettings({ flags, environment: {}, file: {} }), 'serin');

describe('The settings of the dashboard', () => {
  it('open nothing unless a port is named, and nothing where nobody could sign in', async () => {
    expect(await read({})).toBeUndefined();
    await expect(read({ ui: '9000' })).rejects.toThrow(/--ui: nobody could sign in; name --ui-token-file/);
  });

  it('let whoever has not signed in act on loopback only', async () => {
    expect((await read({ ui: '9000', 'ui-anonymous': 'operate' }))?.host).toBe('127.0.0.1');
    expect(await read({ ui: '9000', 'ui-anonymous': 'read' })).toMatchObject({ host: undefined, anonymous: 'read' });
  });

  it('name a file, a line and what is wrong there, but no token', async () => {
    const secret = 'a-token-that-must-not-be-told';
    const wrongs: readonly (readonly [text: string, told: RegExp])[] = [
      [`\n# people\njane ${secret} admin\n`, /tokens:3: its rights are none of read, operate/],
      [`jane ${secret} read,operate:Shop\n`, /tokens:1: its rights are none of/],
      [`jane ${secret}\n`, /tokens:1: a line has three words and this one has 2/],
      ['jane short read\n', /tokens:1: the token of jane is shorter than 20 letters/],
    ];
    for (const [text, told] of wrongs) {
      const failure = await read({ ui: '9000', 'ui-token-file': fileOf('tokens', text) }).then(
        () => '',
        (error: unknown) => String(error),
      );
      expect(failure).toMatch(told);
      expect(failure).not.toContain(secret);
    }
    await expect(read({ ui: '9000', 'ui-token-file': join(folder, 'nothing') })).rejects.toThrow(/cannot be read/);
    const hashed = fileOf('hashed', `ci sha256:${'0'.repeat(64)} read\n`);
    expect((await read({ ui: '9000', 'ui-token-file': hashed }))?.tokenFile).toBe(hashed);
  });

  it('take an address with a path, and refuse what is none', async () => {
    const open = { ui: '9000', 'ui-anonymous': 'read' };
    expect((await read({ ...open, 'ui-url': 'https://deploy.example.com/serin/' }))?.url).toBe(
      'https://deploy.example.com/serin',
    );
    for (const url of ['deploy.example.com', 'ftp://a', 'https://a/?b', 'https://u@a/', 'https://a/"x'])
      await expect(read({ ...open, 'ui-url': url }), url).rejects.toThrow(/--ui-url/);
  });

  it('ask for all that OpenID Connect needs, over TLS', async () => {
    const oidc = { ui: '9000', 'ui-oidc-issuer': 'https://accounts.example.com' };
    await expect(read(oidc)).rejects.toThrow(/--ui-url is needed, too/);
    const url = { 'ui-url': 'https://deploy.example.com' };
    await expect(read({ ...oidc, ...url })).rejects.toThrow(/--ui-oidc-client-id is needed, too/);
    await expect(read({ ...oidc, ...url, 'ui-oidc-issuer': 'http://accounts.example.com' })).rejects.toThrow(
      /plain HTTP/,
    );
    const rights = fileOf('rights', 'operate:shop\n');
    const whole = { ...oidc, ...url, 'ui-oidc-client-id': 'serin' };
    await expect(read({ ...whole, 'ui-oidc-rights-file': rights })).rejects.toThrow(/rights:1: no group is named/);
    expect((await read({ ...whole, 'ui-oidc-scopes': 'email' }))?.oidc?.scopes).toEqual(['openid', 'email']);
  });
});
