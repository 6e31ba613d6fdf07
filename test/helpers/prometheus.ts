import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { deadUrl } from './http-server.ts';

const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
/** Debian's, or the one of the cluster that the tests run in. */
const BINARY = folders.map((folder) => join(folder, 'prometheus')).find((path) => existsSync(path)) ?? 'prometheus';
export const hasPrometheus = existsSync(BINARY);

/** A Prometheus that scrapes `target` (host:port) five times a second. */
export async function startPrometheus(target: string): Promise<{ url: string; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'serin-prometheus-'));
  const config = join(folder, 'prometheus.yml');
  const scrape = `{job_name: test, scrape_interval: 200ms, scrape_timeout: 200ms, static_configs: [{targets: ['${target}']}]}`;
  writeFileSync(config, `scrape_configs: [${scrape}]\n`);
  const url = await deadUrl();
  const { host } = new URL(url);
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${host}`,
  ];
  const child = spawn(BINARY, [...args, '--log.level=error'], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (let tries = 0; tries < 100; tries += 1) {
    const ready = await fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) break;
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
