import { expect, it } from 'vitest';
import { commitUrl } from '../../src/release/commit-url.ts';

const commit = '0123456789abcdef0123456789abcdef01234567';

it.each([
  ['https://github.com/org/shop.git', `https://github.com/org/shop/commit/${commit}`],
  ['https://user:token@github.com/org/shop', `https://github.com/org/shop/commit/${commit}`],
  ['git@github.com:org/shop.git', `https://github.com/org/shop/commit/${commit}`],
  ['ssh://git@gitlab.com:22/group/sub/shop.git/', `https://gitlab.com/group/sub/shop/-/commit/${commit}`],
  ['https://gitlab.example.org/group/shop', `https://gitlab.example.org/group/shop/-/commit/${commit}`],
  ['https://bitbucket.org/team/shop.git', `https://bitbucket.org/team/shop/commits/${commit}`],
  ['git@codeberg.org:org/shop.git', `https://codeberg.org/org/shop/commit/${commit}`],
])('the page of a commit of %s', (repository, url) => {
  expect(commitUrl(repository, commit)).toBe(url);
});

it.each([
  'https://git.example.org/org/shop',
  'file:///srv/shop.git',
  '/srv/shop.git',
  'https://github.com/',
  'javascript:alert(1)',
  '',
  'x'.repeat(100_000),
])('no page is known of %s', (repository) => {
  expect(commitUrl(repository, commit)).toBeUndefined();
});

it.each(['', 'main', `${commit}/../..`, commit.toUpperCase()])('no page of what is no commit: %j', (word) => {
  expect(commitUrl('https://github.com/org/shop', word)).toBeUndefined();
});
