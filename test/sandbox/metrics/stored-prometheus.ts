import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deadUrl } from '../../helpers/http-server.ts';
import { textOf } from '../../../src/sandbox/metrics/labels.ts';
import { numberText } from '../../../src/sandbox/metrics/number-text.ts';
import type { Series } from '../../../src/sandbox/metrics/series-store.ts';
import { currentRules, type Rules } from '../../../src/sandbox/metrics/promql/evaluate.ts';

const PROMETHEUS = '/usr/bin/prometheus';
const PROMTOOL = '/usr/bin/promtool';

/** Why a real Prometheus cannot be asked; undefined when it can. */
export const noPrometheus: string | undefined = [PROMETHEUS, PROMTOOL].every(existsSync)
  ? undefined
  : `${PROMETHEUS} and ${PROMTOOL} are not installed (Debian: apt-get install prometheus)`;

export interface StoredPrometheus {
  readonly url: string;
  /** Those of the installed version. */
  readonly rules: Rules;
  stop(): Promise<void>;
}

/** A Prometheus on loopback that scrapes nothing and holds what the OpenMetrics text says. */
export async function startStoredPrometheus(openMetrics: string): Promise<StoredPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'serin-stored-prometheus-'));
  const [config, input, data] = ['prometheus.yml', 'series.om', 'data'].map((name) => join(folder, name));
  if (config === undefined || input === undefined || data === undefined) throw new Error('no paths');
  writeFileSync(config, 'scrape_configs: []\n');
  writeFileSync(input, openMetrics);
  execFileSync(PROMTOOL, ['tsdb', 'create-blocks-from', 'openmetrics', input, data], { stdio: 'ignore' });
  const url = await deadUrl();
  const flags = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${data}`,
    '--storage.tsdb.retention.time=100y',
    `--web.listen-address=${new URL(url).host}`,
    '--log.level=error',
  ];
  const child = spawn(PROMETHEUS, flags, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 200; tries += 1) {
    const ready = await fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return { url, rules: await rulesOf(url), stop };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await stop();
  throw new Error('prometheus did not get ready');
}

async function rulesOf(url: string): Promise<Rules> {
  const answer = await fetch(`${url}/api/v1/status/buildinfo`);
  const { data } = (await answer.json()) as { data: { version: string } };
  const [major = 0, minor = 0] = data.version.split('.').map(Number);
  if (major >= 3) return currentRules;
  return { leftOpen: false, zeroFirst: major === 2 && minor < 52 };
}

/** All samples as OpenMetrics with times, which `promtool tsdb create-blocks-from openmetrics` reads into a real Prometheus. */
export function openMetrics(series: readonly Series[]): string {
  const lines = series.flatMap(({ labels, times, values }) =>
    times.flatMap((timeMs, index) => {
      const value = values[index];
      return typeof value === 'number' ? [`${textOf(labels)} ${numberText(value)} ${timeMs / 1000}\n`] : [];
    }),
  );
  return `${lines.join('')}# EOF\n`;
}
