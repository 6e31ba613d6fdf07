import { answered, type Steps } from '../lib/turns.ts';
import { areaOf, type LoadSettings } from '../manifest/load.ts';
import { type ConfigRef, type LiveConfigs, readingRefused } from './live-configs.ts';
import type { Sops } from './sops.ts';
import { sopsFormatOf } from './sops-file.ts';
import { standInFor } from './sops-stand-in.ts';

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
  /** Nothing is decrypted: see `EncryptedFilesOptions`. Absent: it is. */
  readonly unlooked?: Unlooked | undefined;
}

/** What nobody could look at who has no keys and no cluster. */
export interface Unlooked {
  /** Paths of files that are encrypted: stand-ins took their place. */
  readonly files: Set<string>;
  /** What could not be made, as `unitOf` names it. */
  readonly units: Set<string>;
}

export interface EncryptedFilesOptions {
  /** Absent: nothing is decrypted. */
  readonly sops?: Sops | undefined;
  /** Absent: no cluster is there. */
  readonly live?: LiveConfigs | undefined;
  /** Rejects where it is not known yet. Absent: no hash leaves the process. */
  readonly salt?: (() => Promise<string>) | undefined;
  /** Stand-ins take the place of what is encrypted, and it is put here. Absent: it is decrypted. */
  readonly unlooked?: Unlooked | undefined;
}

export function createEncryptedFiles(
  { sops, live, salt, unlooked }: EncryptedFilesOptions,
  settings: LoadSettings,
): EncryptedFiles {
  const stoodIn = new WeakMap<Uint8Array, Uint8Array>();
  return {
    unlooked,
    *open(path, content, secret) {
      const format = sopsFormatOf(path, content);
      if (format === undefined) return undefined;
      const refused = (why: string): string => `is encrypted with SOPS, and cannot be decrypted: ${why}`;
      if (!sops && !unlooked) return refused('no program for it is named (--sops)');
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
      if (unlooked) {
        unlooked.files.add(path);
        const known = stoodIn.get(content) ?? standInFor(format, content);
        stoodIn.set(content, known);
        return known;
      }
      if (!sops) return undefined;
      const keys = yield* answered(secret ? sops.keysOf(secret, live) : sops.agentKeys(live));
      const plain = yield* answered(sops.decrypt(format, content, keys));
      return typeof plain === 'string' ? refused(plain) : plain;
    },
    *salt() {
      return salt ? yield* answered(salt()) : '';
    },
  };
}
