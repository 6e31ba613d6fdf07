import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deadUrl } from './http-server.ts';

const program = join(import.meta.dirname, '../../node_modules/.cache/serin-tools/alertmanager-v0.28.1');

/** `npm run tools` builds it. */
export const hasAlertmanager = existsSync(program);

/** A real Alertmanager that tells this URL of each alert at once. */
export async function startAlertmanager(receiver: string): Promise<{ url: string; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'serin-alertmanager-'));
  const config = join(folder, 'alertmanager.yml');
  const route = `{receiver: test, group_by: [namespace, canary, severity], group_wait: 0s, group_interval: 1s}`;
  writeFileSync(config, `route: ${route}\nreceivers: [{name: test, webhook_configs: [{url: '${receiver}'}]}]\n`);
  const url = await deadUrl();
  const args = [
    `--config.file=${config}`,
    `--storage.path=${join(folder, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
    // Alone.
    '--cluster.listen-address=',
    '--log.level=error',
  ];
  const child = spawn(program, args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (let tries = 0; tries < 100; tries += 1) {
    const isReady = await fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    url,
    close: async () => {
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
