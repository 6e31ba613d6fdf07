import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** Folders of the machine that Node's program needs, and what it is asked to run. */
interface MachinePod {
  readonly volumes: readonly object[];
  readonly volumeMounts: readonly object[];
  readonly command: readonly string[];
}

/**
 * Makes a container of any image run this machine's Node: the cluster's node is the machine, so its files are there. What is tested is what
 * was built, and no image has to be made of it.
 */
export function withMachinesNode(words: readonly string[]): MachinePod {
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });
  const paths = [...libraries.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
  const files = ['dist', 'node_modules', 'package.json'].map((name) => [join(root, name), `/serin/${name}`] as const);
  const folders = [...new Set(paths.map((path) => dirname(path)))].map((path) => [path, path] as const);
  const places = [[process.execPath, '/machine/node'] as const, ...folders, ...files];
  return {
    volumes: places.map(([path], index) => ({ name: `machine-${index}`, hostPath: { path } })),
    volumeMounts: places.map(([, mountPath], index) => ({ name: `machine-${index}`, mountPath, readOnly: true })),
    command: ['/machine/node', ...words],
  };
}
