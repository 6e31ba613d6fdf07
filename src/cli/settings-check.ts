import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAuthorities } from '../git/authorities.ts';
import { parseRemote } from '../git/credentials.ts';
import { isSshUrl, parseSshUrl } from '../git/ssh/address.ts';
import { knownHostsProblem } from '../git/ssh/known-hosts.ts';
import { environmentName, type Settings, type SettingName, settings } from '../config/settings.ts';
import { networkProblem } from '../lib/http/addresses.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { makeFolder } from '../lib/folder.ts';
import { cloudNames } from '../registry/clouds/clouds.ts';
import { providerProblem } from '../routers/registry.ts';

type Problem = string | undefined;

/** What is wrong with a value, or with one of a list; values of secrets are never shown. */
const checks: Readonly<Partial<Record<SettingName, (value: string) => Problem>>> = {
  'git-url': gitUrlProblem,
  'git-ssh-secret': secretNameProblem,
  'git-known-hosts': knownHostsProblem,
  'git-branch': (value) => refProblem(value, 'branch'),
  'tag-prefix': (value) => refProblem(`${value}x`, 'prefix of tags', value),
  'mesh-provider': (value) => providerProblem(value)?.replace(/^spec\.provider: /, ''),
  'metrics-server': webProblem,
  'event-webhook': secretWebProblem,
  'http-proxy': secretWebProblem,
  'slack-proxy-url': secretWebProblem,
  'agent-namespace': namespaceProblem,
  'default-namespace': namespaceProblem,
  namespace: namespaceProblem,
  'allow-addresses': networkProblem,
  'image-platforms': (value) =>
    /^[a-z0-9]+\/[a-z0-9]+$/.test(value) ? undefined : `"${value}" is no platform like linux/amd64`,
  'registry-clouds': (value) =>
    cloudNames.some((name) => name === value) ? undefined : `"${value}" is none of ${cloudNames.join(', ')}`,
};

/** Throws CONFIG_INVALID with all that is wrong, a line each. Empty settings without a default are not set. */
export function checkSettings(raw: Settings): void {
  const problems = settings.flatMap(({ name, default: fallback }) => {
    const value = raw[name];
    const texts = typeof value === 'object' ? value : [String(value ?? '')];
    const isUnset = texts.every((text) => text === '') && fallback === '';
    const problem = isUnset ? undefined : texts.map((text) => checks[name]?.(text)).find((one) => one !== undefined);
    return problem === undefined ? [] : [`--${name} (${environmentName(name)}): ${problem}`];
  });
  if (problems.length > 0) throw new AgentError('CONFIG_INVALID', problems.join('\n'));
}

/** Throws CONFIG_INVALID where files that are named cannot be read, or the folder of the mirror not be written to. */
export async function checkFiles(raw: Settings): Promise<void> {
  // Tokens may come later: their files are read whenever they are needed.
  if (raw['git-ca-file'] !== '')
    await readAuthorities({ file: raw['git-ca-file'] }).catch(refuse('git-ca-file', 'it is of no use'));
  if (raw['registry-ca-file'] !== '')
    await readAuthorities({ file: raw['registry-ca-file'] }).catch(refuse('registry-ca-file', 'it is of no use'));
  if (raw['git-dir'] === '') return;
  await makeFolder(raw['git-dir']).catch(refuse('git-dir', `${raw['git-dir']} cannot be written to`));
}

/** For the mirror where no folder is named. */
export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'serin-')).catch(
    refuse('git-dir', `it is empty, and ${tmpdir()} cannot be written to; name a folder that can`),
  );
}

function refuse(name: SettingName, what: string): (cause: unknown) => never {
  return (cause) => {
    throw new AgentError('CONFIG_INVALID', `--${name} (${environmentName(name)}): ${what}: ${messageOf(cause)}`, {
      cause,
    });
  };
}

function gitUrlProblem(value: string): Problem {
  try {
    if (isSshUrl(value)) parseSshUrl(value);
    else parseRemote(value, undefined);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function webProblem(value: string): Problem {
  if (/^https?:\/\/[^/]/i.test(value) && URL.canParse(value)) return undefined;
  return `"${value}" is no URL; write it like http://prometheus.monitoring:9090`;
}

function secretWebProblem(value: string): Problem {
  return webProblem(value) === undefined ? undefined : 'it is no http or https URL';
}

function namespaceProblem(value: string): Problem {
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value)) return undefined;
  return `"${value}" is no name of a namespace (small letters, digits and hyphens)`;
}

function secretNameProblem(value: string): Problem {
  if (value.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(value)) return undefined;
  return `"${value}" is no name of a Secret (small letters, digits, hyphens and dots)`;
}

/** As git check-ref-format has it. */
function refProblem(value: string, what: string, shown = value): Problem {
  // oxlint-disable-next-line no-control-regex
  const isWrong = /[\u0000- ~^:?*[\\\u007f]|\.\.|@\{|\/\/|\.$|\/$|^\/|^-|^@$/.test(value);
  const hasWrongPart = value.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock'));
  return isWrong || hasWrongPart ? `"${shown}" can be no ${what} in Git` : undefined;
}
