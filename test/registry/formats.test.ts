import { describe, expect, it } from 'vitest';
import { readChallenges } from '../../src/registry/challenge.ts';
import { readDockerConfig } from '../../src/registry/docker-config.ts';
import { nextPage } from '../../src/registry/link.ts';
import { cpuMsOf } from '../helpers/cpu-time.ts';

describe('A challenge', () => {
  const read = (header: string): unknown =>
    readChallenges(header).map(({ scheme, params }) => [scheme, Object.fromEntries(params)]);

  it('is read as registries write it', () => {
    const hub =
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"';
    expect(read(hub)).toEqual([
      [
        'bearer',
        { realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'repository:a/b:pull,push' },
      ],
    ]);
    expect(read('Basic realm="a \\"b\\"", Bearer realm=x , service = y')).toEqual([
      ['basic', { realm: 'a "b"' }],
      ['bearer', { realm: 'x', service: 'y' }],
    ]);
    expect(read('Negotiate')).toEqual([['negotiate', {}]]);
    expect(read('')).toEqual([]);
    expect(read('realm="x"')).toEqual([]);
    expect(read('Bearer __proto__="x"')).toHaveLength(1);
  });

  it('of a hostile text costs little', () => {
    const spent = cpuMsOf(() => {
      for (const unit of ['a', '"', ',', ' ', 'a=', 'a="', '\\', 'a =  '])
        readChallenges(unit.repeat(8_000 / unit.length));
    });
    expect(spent).toBeLessThan(300);
  });
});

describe('A next page', () => {
  const page = new URL('https://ghcr.io/v2/a/b/tags/list?n=10');
  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['</v2/a/b/tags/list?last=x&n=10>; rel="next"', 'https://ghcr.io/v2/a/b/tags/list?last=x&n=10'],
    ['</v2/a/b/tags/list?last=x,y&n=10>;rel=next', 'https://ghcr.io/v2/a/b/tags/list?last=x,y&n=10'],
    ['<http://ghcr.io/v2/a/b/tags/list?last=x>; rel="next"', 'https://ghcr.io/v2/a/b/tags/list?last=x'],
    ['</first>; rel="first", </v2/a/b/tags/list?last=z>; rel="next"', 'https://ghcr.io/v2/a/b/tags/list?last=z'],
    ['</v2/a/b/tags/list?last=x>; rel="prev"', undefined],
    ['<https://evil.example.com/v2/a/b/tags/list>; rel="next"', 'strange'],
    ['</v2/a/c/tags/list>; rel="next"', 'strange'],
    ['<https://ghcr.io:444/v2/a/b/tags/list>; rel="next"', 'strange'],
  ])('of %s is %s', (header, expected) => {
    const next = nextPage(header, page);
    expect(next instanceof URL ? next.href : next).toBe(expected);
  });
});

describe('A Docker configuration', () => {
  const pair = (text: string): string => Buffer.from(text).toString('base64');
  const userOf = (config: object, registry: string): string | undefined => {
    const read = readDockerConfig(JSON.stringify(config));
    if ('problem' in read) throw new Error(read.problem);
    const found = read.lookUp(registry, 'a/b');
    return found?.kind === 'basic' ? `${found.username}:${found.password}` : found?.token;
  };
  const hosts = { '*.azurecr.io': { auth: pair('w:w') }, 'm.azurecr.io': { auth: pair('a:b') } };
  const paths = { 'ghcr.io': { auth: pair('h:h') }, 'ghcr.io/a': { auth: pair('a:b') } };

  it.each<[string, object, string, string | undefined]>([
    ['a host', { auths: { 'ghcr.io': { auth: pair('a:b:c') } } }, 'ghcr.io', 'a:b:c'],
    ['Docker Hub', { auths: { 'https://index.docker.io/v1/': { username: 'a', password: 'b' } } }, 'docker.io', 'a:b'],
    ['Docker Hub by its name', { auths: { 'docker.io': { auth: pair('a:b') } } }, 'docker.io', 'a:b'],
    ['a host with its port', { auths: { 'localhost:5000': { auth: pair('a:b') } } }, 'localhost:5000', 'a:b'],
    ['no host with another port', { auths: { 'localhost:5000': { auth: pair('a:b') } } }, 'localhost:5001', undefined],
    ['no part of a host', { auths: { 'cr.io': { auth: pair('a:b') } } }, 'evilcr.io', undefined],
    ['a wild card', { auths: hosts }, 'other.azurecr.io', 'w:w'],
    ['no wild card of a host below', { auths: hosts }, 'x.y.azurecr.io', undefined],
    ['a host rather than a wild card', { auths: hosts }, 'm.azurecr.io', 'a:b'],
    ['the longest path', { auths: paths }, 'ghcr.io', 'a:b'],
    ['no path that only begins alike', { auths: { 'ghcr.io/a/bc': { auth: pair('a:b') } } }, 'ghcr.io', undefined],
    ['an identity token', { auths: { 'x.io': { identitytoken: 't', auth: pair('0:') } } }, 'x.io', 't'],
    ['the former form', { 'x.io': { auth: pair('a:b') } }, 'x.io', 'a:b'],
    ['nothing', { auths: { 'x.io': {} } }, 'x.io', undefined],
    ['nothing that every map inherits', { auths: {} }, 'constructor', undefined],
  ])('signs in by %s', (_, config, registry, user) => {
    expect(userOf(config, registry)).toBe(user);
  });

  it('that cannot be read is a problem that shows nothing of it', () => {
    for (const text of [
      '',
      '{"auths": {"x.io": {"auth": "secret-of-the-test"',
      '[]',
      '{"auths": 7}',
      `"${'a'.repeat(2e6)}"`,
    ]) {
      const read = readDockerConfig(text);
      expect(read).toHaveProperty('problem');
      expect(JSON.stringify(read)).not.toContain('secret-of-the-test');
    }
  });
});
