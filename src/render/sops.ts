import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { messageOf } from '../lib/errors.ts';
import { namespacedName } from '../lib/key.ts';
import { sha256Hex } from '../lib/hash.ts';
import { LatestUsed } from '../lib/latest-used.ts';
import { createLimit } from '../lib/limit.ts';
import { type ConfigRef, type LiveConfigs, textsOf } from './live-configs.ts';
import type { ToolLimits, ToolResult } from './run-tool.ts';
import { namedRemoteKeys, type RemoteKeys, sopsFile, type SopsFormat } from './sops-file.ts';
import { createToolProgram } from './tool-program.ts';

export interface SopsOptions {
  /** Path of the program, version 3. */
  readonly program: string;
  /** File with age identities. Absent: there is none. */
  readonly ageKeyFile?: string;
  /** Secret with such files, read where the cluster is known. Absent: there is none. */
  readonly ageSecret?: Omit<ConfigRef, 'kind'>;
  /** What the program gets of the environment, for PGP and services that keep keys. Absent: nothing. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Absent: what one that is meant well never takes. */
  readonly limits?: ToolLimits;
}

/** Age identities, a line each, or why there are none, for people. */
type AgeKeys = { readonly identities: string } | { readonly problem: string };

/** The program `sops`. What it decrypts is kept in memory, and only there. */
export interface Sops {
  /** How often the program was asked to decrypt. */
  readonly runs: number;
  /** The keys of the agent, for files of which nothing else is said. `live` absent: no cluster is there. */
  agentKeys(live: LiveConfigs | undefined): Promise<AgeKeys>;
  /** Those of a Secret, as Flux names one: whatever stands under a name that ends with `.agekey`. */
  keysOf(secret: Omit<ConfigRef, 'kind'>, live: LiveConfigs | undefined): Promise<AgeKeys>;
  /** The plain file. A text says why there is none, and quotes nothing of it. */
  decrypt(format: SopsFormat, content: Uint8Array, keys: AgeKeys): Promise<Uint8Array | string>;
  /** Ends the programs that run. */
  close(): Promise<void>;
}

const defaultToolLimits: ToolLimits = {
  timeMs: 20_000,
  memoryBytes: 256 * 1024 * 1024,
  outputBytes: 8 * 1024 * 1024,
};
/** Programs that run side by side. */
const mostRuns = 2;
const mostKept = 2_000;
const mostKeptBytes = 16 * 1024 * 1024;
/** What failed for a reason that may pass is tried again after so long. */
const retryMs = 60_000;
const mostFailed = 500;

/** By the variables that say where such keys are. */
const variablesOf: readonly (readonly [RemoteKeys, RegExp])[] = [
  ['kms', /^AWS_/],
  ['gcp_kms', /^GOOGLE_/],
  ['azure_kv', /^AZURE_/],
  ['hc_vault', /^VAULT_/],
  ['hckms', /^HUAWEICLOUD_/],
];

/** As the program ends. Its own words are never told: they hold a checksum of what is encrypted. */
const reasons: ReadonlyMap<number, string> = new Map([
  [51, 'its checksum (MAC) is wrong: somebody changed it without sops. Take the change back, or encrypt the file anew'],
  [52, 'it has no checksum (MAC). Encrypt the file anew'],
]);

export function createSops({
  program,
  ageKeyFile,
  ageSecret,
  environment = {},
  limits = defaultToolLimits,
}: SopsOptions): Sops {
  const known = new LatestUsed<Uint8Array>(mostKept);
  const failed = new LatestUsed<{ readonly reason: string; readonly untilMs: number }>(mostFailed);
  const limit = createLimit(mostRuns);
  const asked = new Set(
    variablesOf.flatMap(([keys, pattern]) =>
      Object.keys(environment).some((name) => pattern.test(name)) ? [keys] : [],
    ),
  );
  let runs = 0;
  const tool = createToolProgram({
    program,
    limits,
    name: 'sops',
    major: 3,
    versionArgs: ['--disable-version-check', '--version'],
    folder: tmpdir(),
    environmentIn: () => ({ ...environment, GOMAXPROCS: '1', GOMEMLIMIT: '192MiB' }),
  });

  const keysOf: Sops['keysOf'] = async ({ namespace, name }, live) => {
    const shown = `Secret ${namespacedName({ namespace, name })}`;
    if (!live)
      return {
        problem: `its key is in the ${shown}, and there is no cluster to ask: name it with --sops-age-key-file`,
      };
    let texts: ReadonlyMap<string, string>;
    try {
      const secret = await live.read({ kind: 'Secret', namespace, name });
      if (!secret)
        return {
          problem: `there is no ${shown} with its key: kubectl create secret generic ${name} -n ${namespace} --from-file=age.agekey=FILE`,
        };
      texts = textsOf(secret);
    } catch (error) {
      return { problem: `the ${shown} with its key cannot be read (${messageOf(error).split('\n', 1)[0] ?? ''})` };
    }
    const files = [...texts].filter(([key]) => key.endsWith('.agekey')).map(([, text]) => text);
    const identities = identitiesIn(files.join('\n'));
    return identities === ''
      ? { problem: `the ${shown} holds no age key under a name that ends with .agekey` }
      : { identities };
  };

  const decryptPart = async (format: SopsFormat, text: string, identities: string): Promise<Uint8Array | string> => {
    runs += 1;
    const result = await tool.run(
      tmpdir(),
      ['decrypt', '--input-type', format, '--output-type', format, '--decryption-order', 'age,pgp'],
      limits,
      { input: Buffer.from(text), ...(identities === '' ? {} : { environment: { SOPS_AGE_KEY: identities } }) },
    );
    return result.kind === 'done' ? result.output : reasonOf(result);
  };

  return {
    get runs() {
      return runs;
    },
    keysOf,
    async agentKeys(live) {
      const all: string[] = [];
      if (ageKeyFile !== undefined) {
        try {
          all.push(identitiesIn(await readFile(ageKeyFile, 'utf8')));
        } catch (error) {
          return { problem: `the file of --sops-age-key-file cannot be read (${messageOf(error)})` };
        }
        if (all[0] === '') return { problem: `the file of --sops-age-key-file holds no age key` };
      }
      const ofSecret = ageSecret && live ? await keysOf(ageSecret, live) : undefined;
      if (ofSecret && 'identities' in ofSecret) all.push(ofSecret.identities);
      if (all.length > 0) return { identities: all.join('\n') };
      if (Object.keys(environment).length > 0) return { identities: '' };
      return ofSecret ?? { problem: 'no key is known: name a file with an age key (--sops-age-key-file)' };
    },
    async decrypt(format, content, keys) {
      if ('problem' in keys) return keys.problem;
      const { problem } = await tool.version();
      if (problem !== undefined) return `${problem}: install it, or name it with --sops`;
      const file = sopsFile(format, content, asked);
      if (typeof file === 'string') return file;
      const key = sha256Hex(JSON.stringify([format, sha256Hex(content), sha256Hex(keys.identities)]));
      const before = known.get(key);
      if (before) return before;
      const fault = failed.get(key);
      if (fault && performance.now() < fault.untilMs) return fault.reason;
      const plain: Buffer[] = [];
      for (const part of file.parts) {
        const text = part.isEncrypted
          ? await limit(() => decryptPart(format, part.text, keys.identities))
          : Buffer.from(part.text);
        if (typeof text === 'string') {
          const left = namedRemoteKeys(content).filter((one) => !asked.has(one));
          const more =
            left.length === 0 ? '' : ` (nobody is asked for its keys of ${left.join(', ')}: see --sops-environment)`;
          failed.set(key, { reason: text + more, untilMs: performance.now() + retryMs });
          return text + more;
        }
        // Each part begins with its own marker, which what is decrypted has lost.
        if (plain.length > 0 && part.isEncrypted) plain.push(Buffer.from('---\n'));
        plain.push(Buffer.from(text));
      }
      const whole = Buffer.concat(plain);
      known.set(key, whole, whole.length, mostKeptBytes);
      return whole;
    },
    close: () => tool.close(),
  };
}

/** Without comments, as `age-keygen` writes them. */
const identitiesIn = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('AGE-SECRET-KEY-'))
    .join('\n');

function reasonOf(result: Exclude<ToolResult, { kind: 'done' }>): string {
  if (result.kind === 'missing') return `sops cannot be started: ${result.reason}`;
  const known = result.code === undefined ? `sops ${result.reason}` : reasons.get(result.code);
  if (known !== undefined) return known;
  return result.code === 128
    ? 'none of the keys that are known is one that it is encrypted for: add the right one, or encrypt it for this one too (sops updatekeys)'
    : `sops cannot read it (it ended with code ${result.code}): try sops decrypt by hand`;
}
