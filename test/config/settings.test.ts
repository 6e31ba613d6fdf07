import { describe, expect, it } from 'vitest';
import {
  environmentName,
  listOf,
  readSetting,
  readSettings,
  type Setting,
  type SettingName,
  settings,
} from '../../src/config/settings.ts';
import type { AgentError } from '../../src/lib/errors.ts';

const none = { flags: {}, environment: {}, file: {} };
const messageOf = (sources: Parameters<typeof readSettings>[0]): string => {
  try {
    readSettings(sources);
  } catch (error) {
    expect((error as AgentError).code).toBe('CONFIG_INVALID');
    return (error as AgentError).message;
  }
  throw new Error('it was accepted');
};

describe('the settings', () => {
  it('have defaults that are themselves allowed', () => {
    const values = readSettings(none);
    for (const entry of settings as readonly Setting[])
      expect({ value: values[entry.name as SettingName] }).toEqual(readSetting(entry, entry.default));
  });

  it('have names that are each used once, in every spelling', () => {
    const names = settings.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(names.map(environmentName)).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
  });

  it('stand together with those of their group, each with a meaning', () => {
    const groups = (settings as readonly Setting[]).map(({ group }) => group);
    const changes = groups.filter((group, index) => group !== groups[index - 1]);
    expect(changes.length).toBe(new Set(groups).size);
    for (const { help } of settings) expect(help.length).toBeGreaterThan(10);
  });

  it('come from the flag, then the environment, then the file, then the default', () => {
    const file = { 'git-branch': 'from-file' };
    const environment = { SERIN_GIT_BRANCH: 'from-environment' };
    const flags = { 'git-branch': 'from-flag' };
    const branch = (sources: Partial<Parameters<typeof readSettings>[0]>): string =>
      readSettings({ ...none, ...sources })['git-branch'];
    expect(branch({})).toBe('main');
    expect(branch({ file })).toBe('from-file');
    expect(branch({ file, environment })).toBe('from-environment');
    expect(branch({ file, environment, flags })).toBe('from-flag');
  });

  it('listen to the names that Flagger has for them in the environment, after their own', () => {
    const read = (environment: Record<string, string>): string => readSettings({ ...none, environment })['slack-url'];
    expect(read({ SLACK_URL: 'http://flagger' })).toBe('http://flagger');
    expect(read({ SLACK_URL: 'http://flagger', SERIN_SLACK_URL: 'http://serin' })).toBe('http://serin');
    expect(readSettings({ ...none, environment: { EVENT_WEBHOOK_URL: 'http://e' } })['event-webhook']).toBe('http://e');
    const flags = { 'slack-url': 'http://flag' };
    expect(readSettings({ ...none, flags, environment: { SLACK_URL: 'http://flagger' } })['slack-url']).toBe(
      'http://flag',
    );
  });

  it('may leave a port out where nothing listens by default', () => {
    expect(readSettings({ ...none, flags: { 'gate-port': '8081' } })['gate-port']).toBe(8081);
    expect(messageOf({ ...none, flags: { 'gate-port': 'any' } })).toMatch(/--gate-port .*no port number/);
    expect(messageOf({ ...none, flags: { port: '' } })).toMatch(/--port .*no port number/);
  });

  it('take a size as a whole number of MiB that can be stored', () => {
    expect(readSettings(none)['git-max-download']).toBe(512);
    expect(
      readSettings({ ...none, environment: { ...none.environment, SERIN_GIT_MAX_DOWNLOAD: '64' } })['git-max-download'],
    ).toBe(64);
    expect(readSettings({ ...none, file: { 'git-cache-memory': '16' } })['git-cache-memory']).toBe(16);
    for (const name of ['git-max-download', 'git-cache-memory'])
      for (const wrong of ['0', '2001', '-1', '1.5', '64Mi', '1e3', ''])
        expect(messageOf({ ...none, flags: { [name]: wrong } })).toMatch(
          new RegExp(`--${name} .*is no whole number of MiB from 1 to 2000; write it without a unit`),
        );
  });

  it('take the largest file and object in MiB, within what can be held and stored', () => {
    for (const wrong of ['0', '1.5', '2001', '192Mi'])
      expect(messageOf({ ...none, flags: { 'max-tree-size': wrong } })).toMatch(
        /--max-tree-size .*is no whole number of MiB/,
      );
    const { 'max-file-size': file, 'max-object-size': object } = readSettings(none);
    expect([file, object]).toEqual([16, 1.5]);
    expect(readSettings({ ...none, file: { 'max-object-size': '0.25' } })['max-object-size']).toBe(0.25);
    for (const wrong of ['0', '-1', '65', '1e1', '16Mi', '0x10', '', ' 1', 'NaN', '1.', '.5'])
      expect(messageOf({ ...none, flags: { 'max-file-size': wrong } })).toMatch(
        /--max-file-size \(SERIN_MAX_FILE_SIZE\): ".*" is no number of MiB from 0.1 to 64; write it without a unit/,
      );
    expect(messageOf({ ...none, environment: { ...none.environment, SERIN_MAX_OBJECT_SIZE: '9' } })).toMatch(
      /--max-object-size \(SERIN_MAX_OBJECT_SIZE\): "9" is no number of MiB from 0.1 to 8; write it without a unit/,
    );
  });

  it('may be emptied by a source that comes first', () => {
    const sources = { ...none, flags: { 'selector-labels': '' } };
    expect(readSettings(sources)['selector-labels']).toEqual([]);
  });

  it.each([
    ['git-poll-interval', 'soon', /"soon" is no duration; write it like 5s/],
    ['git-poll-interval', '0s', /no duration/],
    ['git-poll-interval', '-5s', /no duration/],
    ['git-poll-interval', '5', /no duration/],
    ['prune', 'yes', /neither true nor false/],
    ['write', 'pull-request', /none of direct, none/],
    ['log-level', 'trace', /none of debug, info, warn, error/],
    ['port', 'http', /"http" is no port/],
    ['port', '70000', /no port/],
  ])('refuse %s %s', (name, value, message) => {
    const text = messageOf({ ...none, flags: { [name]: value } });
    expect(text).toMatch(message);
    expect(text).toContain(`--${name} (${environmentName(name)})`);
  });

  it('are what they mean: times in milliseconds, numbers, lists, and true or false', () => {
    const flags = { 'git-poll-interval': '1m30s', suspend: 'true', 'selector-labels': 'app, name', port: '0' };
    const values = readSettings({ ...none, flags });
    expect(values['git-poll-interval']).toBe(90_000);
    expect(values.suspend).toBe(true);
    expect(values['selector-labels']).toEqual(['app', 'name']);
    expect(values.port).toBe(0);
    expect(values['gate-port']).toBeUndefined();
  });

  it('are suggested where somebody has misspelt one, in the environment as in the file', () => {
    expect(messageOf({ ...none, environment: { SERIN_GIT_BRANHC: 'x' } })).toContain('did you mean SERIN_GIT_BRANCH?');
    expect(messageOf({ ...none, file: { 'git-branhc': 'x' } })).toContain('did you mean git-branch?');
  });

  it('name every problem at once, also what the file sets and nobody knows', () => {
    const text = messageOf({ flags: { prune: 'x' }, environment: { SERIN_WRITE: 'y' }, file: { 'git-ulr': 'z' } });
    expect(text.split('\n')).toHaveLength(3);
    expect(text).toMatch(/the file sets "git-ulr", which is no setting/);
  });
});

describe('a list', () => {
  it('is cut at commas, without blanks and empty parts', () => {
    expect(listOf(' app, name ,,app.kubernetes.io/name,')).toEqual(['app', 'name', 'app.kubernetes.io/name']);
    expect(listOf('')).toEqual([]);
  });
});
