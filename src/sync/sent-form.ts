import { own, setOwn } from '../lib/own.ts';
import { type Fields, isFields } from '../manifest/checks/finding.ts';
import type { KubeObject } from '../manifest/types.ts';

/**
 * The object as server-side apply can follow it. Some fields can be written and are never stored, or are stored under two names. What an
 * apply owns is what it wrote, so what such a field left behind would be nobody's: it would stay when Git takes it away, and a change of it
 * would not be seen. The same object where it has none of them.
 */
export function sentForm(object: KubeObject): KubeObject {
  if (object.kind === 'Secret' && object.apiVersion === 'v1') return withStoredData(object);
  const path = own(podSpecs, `${object.apiVersion}/${object.kind}`);
  return path === undefined ? object : (inside(object, path, withBothNames) as KubeObject);
}

/** `stringData` wins over `data`, as it does for the API server. Null is empty for both. */
function withStoredData(secret: KubeObject): KubeObject {
  const { stringData, ...rest } = secret;
  if (stringData === undefined) return secret;
  const data: Record<string, unknown> = { ...(isFields(rest['data']) ? rest['data'] : {}) };
  for (const [key, value] of Object.entries(isFields(stringData) ? stringData : {})) {
    // Other values are refused before.
    setOwn(data, key, typeof value === 'string' ? Buffer.from(value, 'utf8').toString('base64') : '');
  }
  return (Object.keys(data).length === 0 ? rest : { ...rest, data }) as KubeObject;
}

const template = ['spec', 'template', 'spec'];
const podSpecs: Readonly<Record<string, readonly string[]>> = {
  'v1/Pod': ['spec'],
  'apps/v1/Deployment': template,
  'apps/v1/DaemonSet': template,
  'apps/v1/StatefulSet': template,
  'apps/v1/ReplicaSet': template,
  'batch/v1/Job': template,
  'batch/v1/CronJob': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};

/** The API server stores the account's name twice. */
function withBothNames(podSpec: Fields): Fields {
  const { serviceAccount, serviceAccountName } = podSpec;
  const name = serviceAccountName ?? serviceAccount;
  if (typeof name !== 'string' || (name === serviceAccount && name === serviceAccountName)) return podSpec;
  return { ...podSpec, serviceAccountName: name, serviceAccount: name };
}

function inside(value: Fields, [name, ...rest]: readonly string[], change: (part: Fields) => Fields): Fields {
  if (name === undefined) return change(value);
  const part = value[name];
  if (!isFields(part)) return value;
  const changed = inside(part, rest, change);
  return changed === part ? value : { ...value, [name]: changed };
}

/**
 * Keys of a Secret that no writer owns: left behind by `stringData` that was applied as it is, as older versions of this agent did. With
 * their values, to be owned for a moment, so that the next apply takes them away. Undefined where there are none.
 */
export function leftBehind(secret: KubeObject): Fields | undefined {
  if (secret.kind !== 'Secret' || secret.apiVersion !== 'v1' || secret['immutable'] === true) return undefined;
  const data = secret['data'];
  const owners = secret.metadata['managedFields'];
  if (!isFields(data) || !Array.isArray(owners) || owners.length === 0) return undefined;
  const isOwned = (key: string): boolean =>
    owners.some((owner: unknown) => {
      const fields = isFields(owner) ? owner['fieldsV1'] : undefined;
      return ['f:data', 'f:stringData'].some((field) => {
        const keys = isFields(fields) ? fields[field] : undefined;
        return isFields(keys) && Object.hasOwn(keys, `f:${key}`);
      });
    });
  const left = Object.entries(data).filter(([key]) => !isOwned(key));
  return left.length === 0 ? undefined : Object.fromEntries(left);
}
