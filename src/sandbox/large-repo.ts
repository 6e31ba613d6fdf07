import { runGit } from './git-command.ts';

export interface LargeRepo {
  /** Number of manifests, one Deployment each; default 10,000. */
  readonly files?: number;
  /** Commits after the first, each changing one file; default 0. */
  readonly commits?: number;
}

export const largeRepoPath = (index: number): string =>
  `clusters/c${index % 5}/teams/t${Math.floor(index / 5) % 40}/app-${String(index).padStart(5, '0')}.yaml`;

/** Fills an empty bare repository through one `git fast-import`: 10,000 manifests in about a second. */
export async function fillLargeRepo(repoPath: string, options: LargeRepo = {}): Promise<void> {
  const files = options.files ?? 10_000;
  const parts = [commitHead(0, 'ten thousand manifests')];
  for (let index = 0; index < files; index += 1) parts.push(fileModify(index, 0));
  for (let commit = 1; commit <= (options.commits ?? 0); commit += 1) {
    parts.push(commitHead(commit, `change ${commit}`), fileModify((commit * 7919) % files, commit));
  }
  await runGit(['-C', repoPath, 'fast-import', '--quiet'], parts.join(''));
}

export function largeRepoManifest(index: number, version: number): string {
  const name = `app-${String(index).padStart(5, '0')}`;
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  namespace: t${Math.floor(index / 5) % 40}
  labels:
    app: ${name}
spec:
  replicas: ${(index % 3) + 1}
  selector:
    matchLabels:
      app: ${name}
  template:
    metadata:
      labels:
        app: ${name}
    spec:
      containers:
        - name: app
          image: registry.example.com/team/${name}:1.${version}.0
          ports:
            - containerPort: 8080
          env:
            - name: SEED
              value: "${((index + 1) * 2654435761) >>> 0}"
`;
}

const commitHead = (index: number, message: string): string =>
  `commit refs/heads/main\ncommitter Ada Operator <ada@example.com> ${1_700_000_000 + index} +0000\ndata ${message.length}\n${message}\n`;

function fileModify(index: number, version: number): string {
  const content = largeRepoManifest(index, version);
  return `M 100644 inline ${largeRepoPath(index)}\ndata ${content.length}\n${content}\n`;
}
