import { describe, expect, it } from 'vitest';
import { hostName, isSshUrl, parseSshUrl } from '../../../src/git/ssh/address.ts';

describe('a Git URL for SSH', () => {
  it.each([
    ['git@github.com:acme/config.git', 'github.com', 22, 'git', 'acme/config.git'],
    ['github.com:acme/config.git/', 'github.com', 22, undefined, 'acme/config.git'],
    ['git@host:/srv/config.git', 'host', 22, 'git', '/srv/config.git'],
    ['git@host:~bob/config.git', 'host', 22, 'git', '~bob/config.git'],
    ['git@[::1]:config.git', '::1', 22, 'git', 'config.git'],
    ['git@[host:2222]:config.git', 'host', 2222, 'git', 'config.git'],
    ['git@host:2222/config.git', 'host', 22, 'git', '2222/config.git'],
    ['ssh://git@Host.example.com/acme/config.git', 'host.example.com', 22, 'git', '/acme/config.git'],
    ['ssh://git@host:2222/config.git/', 'host', 2222, 'git', '/config.git'],
    ['ssh://host/~/config.git', 'host', 22, undefined, '~/config.git'],
    ['ssh://git@[fd00::1]:22/a%20b.git', 'fd00::1', 22, 'git', '/a b.git'],
    ['git+ssh://git@host/100%.git', 'host', 22, 'git', '/100%.git'],
  ])('%s names its host, user and path', (url, host, port, username, path) => {
    expect(isSshUrl(url)).toBe(true);
    expect(parseSshUrl(url)).toMatchObject({ host, port, username, path });
  });

  it.each(['https://git@host/a:b.git', 'http://host:22/x', '/srv/a:b', './a:b', 'C:\\config', 'C:/config', 'config'])(
    'is not meant by %s',
    (url) => expect(isSshUrl(url)).toBe(false),
  );

  it.each([
    ['ssh://git:topsecret@host/x.git', /no password/],
    ['git:topsecret@host:x.git', /no password/],
    ['ssh://host', /names no repository/],
    ['git@host:', /names no repository/],
    ['git@host:-oProxyCommand=x', /path/],
    ['git@-oProxyCommand=x:x', /host/],
    ['git@host:a\nb', /path/],
    ['ssh://git@host/a%00b', /path/],
    ['git@[host:99999]:x', /port/],
    ['ssh://git@host:port/x', /cannot be read/],
  ])('is refused when it is %j, in words without a password', (url, words) => {
    expect(() => parseSshUrl(url)).toThrow(words);
    expect(() => parseSshUrl(url)).not.toThrow(/topsecret/);
  });

  it('is named in known_hosts with its port where that is another than SSH has', () => {
    expect(hostName(parseSshUrl('git@host:x'))).toBe('host');
    expect(hostName(parseSshUrl('ssh://host:2222/x'))).toBe('[host]:2222');
  });
});
