import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChartCredentials } from './chart.ts';

/** How Helm is told of credentials: by files in its private folder. */
interface ChartAccess {
  readonly environment: Readonly<Record<string, string>>;
  /** What an index is called there. */
  readonly repository: string;
  /** For a registry. */
  readonly args: readonly string[];
  /** What Helm says, without them. */
  hidden(said: string): string;
}

const repository = 'serin';
const onlyOwn = { flag: 'wx', mode: 0o600 };

/** Credentials of one server, in a folder that only this process reads. */
export async function chartAccess(root: string, url: string, credentials: ChartCredentials): Promise<ChartAccess> {
  const { username, password, ca, cert, key, isPlain } = credentials;
  const files = new Map<string, string>();
  for (const [name, text] of Object.entries({ ca, cert, key })) {
    if (text === undefined) continue;
    const path = join(root, `${name}.pem`);
    await writeFile(path, text, onlyOwn);
    files.set(name, path);
  }
  const tls = { caFile: files.get('ca'), certFile: files.get('cert'), keyFile: files.get('key') };
  const repositories = join(root, 'repositories.json');
  const registries = join(root, 'registries.json');
  // It takes JSON for YAML. Nothing of it goes to another server: see pass_credentials_all.
  const entry = { name: repository, url, username, password, ...tls, pass_credentials_all: false };
  const auth = Buffer.from(`${username ?? ''}:${password ?? ''}`).toString('base64');
  const auths = username === undefined ? {} : { [new URL(url).host]: { auth } };
  await writeFile(repositories, JSON.stringify({ apiVersion: '', repositories: [entry] }), onlyOwn);
  await writeFile(registries, JSON.stringify({ auths }), onlyOwn);
  const secrets = [password, auth, key].flatMap((one) => (one === undefined || one === '' ? [] : [one.trim()]));
  return {
    environment: { HELM_REPOSITORY_CONFIG: repositories, HELM_REGISTRY_CONFIG: registries },
    repository,
    args: [
      ...(isPlain ? ['--plain-http'] : []),
      ...(tls.caFile === undefined ? [] : ['--ca-file', tls.caFile]),
      ...(tls.certFile === undefined ? [] : ['--cert-file', tls.certFile]),
      ...(tls.keyFile === undefined ? [] : ['--key-file', tls.keyFile]),
    ],
    hidden: (said) => secrets.reduce((text, secret) => text.replaceAll(secret, '***'), said),
  };
}
