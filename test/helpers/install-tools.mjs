// Builds the programs that some tests need, at the versions that the image has: into node_modules/.cache, once. Where that is not possible, says so and goes on.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

const say = (text) => process.stdout.write(`${text}\n`);
const root = join(import.meta.dirname, '../..');
const tools = [
  { name: 'kustomize', version: 'v5.8.2', module: 'sigs.k8s.io/kustomize/kustomize/v5', package: '' },
  { name: 'helm', version: 'v3.22.0', module: 'helm.sh/helm/v3', package: '/cmd/helm' },
  { name: 'sops', version: 'v3.13.3', module: 'github.com/getsops/sops/v3', package: '/cmd/sops' },
  // No part of the image: alerts are sent to a real one.
  { name: 'alertmanager', version: 'v0.28.1', module: 'github.com/prometheus/alertmanager', package: '/cmd/alertmanager' },
];

for (const { name, version, module, package: inside } of tools) {
  const folder = join(root, 'node_modules/.cache/serin-tools');
  const program = join(folder, `${name}-${version}`);
  if (existsSync(program)) {
    say(`${name} ${version} is there`);
    continue;
  }
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
  } catch {
    say(`${name} is not built, because there is no Go here: the tests that need it are left out`);
    continue;
  }
  mkdirSync(folder, { recursive: true });
  say(`building ${name} ${version}`);
  try {
    execFileSync('go', ['install', '-trimpath', '-ldflags=-s -w', `${module}${inside}@${version}`], {
      stdio: 'inherit',
      env: { ...process.env, GOBIN: folder },
    });
    renameSync(join(folder, name), program);
  } catch {
    say(`${name} cannot be built here: the tests that need it are left out`);
  }
}
