import { answered, type Steps } from '../lib/turns.ts';
import { areaOf, type LoadSettings } from '../manifest/load.ts';
import { type ConfigRef, type LiveConfigs, readingRefused } from './live-configs.ts';
import type { Sops } from './sops.ts';
import { sopsFormatOf } from './sops-file.ts';

/** Opens what SOPS has encrypted. */
export interface EncryptedFiles {
  /**
   * Undefined: it is not encrypted. A text says why it cannot be opened (to be put behind its path), and quotes nothing of it. `secret`: with the keys of this Secret;
   * absent: with the agent's.
   */
  open(path: string, content: Uint8Array, secret?: Omit<ConfigRef, 'kind'>): Steps<Uint8Array | undefined | string>;
  /**
   * What is mixed into the hash of whatever is made with secrets: nobody who reads that hash can find them by trying. Empty where no hash
   * leaves the process.
   */
  salt(): Steps<string>;
}

export interface EncryptedFilesOptions {
  /** Absent: nothing is decrypted. */
  readonly sops?: Sops | undefined;
  /** Absent: no cluster is there. */
  readonly live?: LiveConfigs | undefined;
  /** Rejects where it is not known yet. Absent: no hash leaves the process. */
  readonly salt?: (() => Promise<string>) | undefined;
}

export function createEncryptedFiles(
  { sops, live, salt }: EncryptedFilesOptions,
  settings: LoadSettings,
): EncryptedFiles {
  return {
    *open(path, content, secret) {
      const format = sopsFormatOf(path, content);
      if (format === undefined) return undefined;
      const refused = (why: string): string => `is encrypted with SOPS, and cannot be decrypted: ${why}`;
      if (!sops) return refused('no program for it is named (--sops)');
      const area = areaOf(path, settings);
      // What one tenant encrypted another could copy, and have it decrypted for himself.
      if (secret === undefined && area !== '')
        return refused(
          `the agent's own keys are nobody's among tenants: let tenant ${area} name a Secret with its key in a Kustomization of Flux (spec.decryption.secretRef)`,
        );
      if (secret !== undefined) {
        const why = readingRefused({ kind: 'Secret', ...secret }, path, settings);
        if (why !== undefined) return refused(why);
      }
      const keys = yield* answered(secret ? sops.keysOf(secret, live) : sops.agentKeys(live));
      const plain = yield* answered(sops.decrypt(format, content, keys));
      return typeof plain === 'string' ? refused(plain) : plain;
    },
    *salt() {
      return salt ? yield* answered(salt()) : '';
    },
  };
}
