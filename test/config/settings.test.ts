import { describe, expect, it } from 'vitest';
import { readSettings } from '../../src/config/settings.ts';
import { AgentError } from '../../src/lib/errors.ts';

const none = { flags: {}, environment: {}, file: {} };

function complaint(sources: Partial<typeof none> & Record<string, Record<string, string>>): string {
  try {
    readSettings({ ...none, ...sources });
  } catch (error) {
    if (error instanceof AgentError && error.code === 'CONFIG_INVALID') return error.message;
    throw error;
  }
  return '';
}

describe('settings', () => {
  it('come from flags, else the environment, else the file, else their defaults', () => {
    const file = { 'git-branch': 'file', 'git-path': 'file', 'git-url': 'file' };
    const environment = { SERIN_GIT_BRANCH: 'environment', SERIN_GIT_PATH: 'environment' };
    const settings = readSettings({ flags: { 'git-branch': 'flag' }, environment, file });
    expect(settings['git-branch']).toBe('flag');
    expect(settings['git-path']).toBe('environment');
    expect(settings['git-url']).toBe('file');
    expect(settings['git-poll-interval']).toBe('5s');
  });

  it('are checked all at once, each named as it can be written', () => {
    const said = complaint({ flags: { 'git-poll-interval': 'soon', write: 'maybe', prune: 'no' }, file: { git: 'x' } });
    expect(said.split('\n')).toEqual([
      'the file sets "git", which is no setting; run "serin run --help"',
      '--git-poll-interval (SERIN_GIT_POLL_INTERVAL): "soon" is no duration; write it like 5s or 1m30s',
      '--write (SERIN_WRITE): "maybe" is none of direct, none',
      '--prune (SERIN_PRUNE): "no" is neither true nor false',
    ]);
  });

  it.each(['http', '-1', '65536', '80.5', ''])('refuse "%s" as a port', (port) => {
    expect(complaint({ flags: { port } })).toBe(`--port (SERIN_PORT): "${port}" is no port number`);
  });

  it('say where a port like tcp://10.0.0.1:8080 comes from: Kubernetes sets SERIN_PORT beside a Service named serin', () => {
    expect(complaint({ environment: { SERIN_PORT: 'tcp://10.0.0.1:8080' } })).toMatch(/enableServiceLinks: false/);
  });
});
