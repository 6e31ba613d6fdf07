import { quantity } from '../../quantity.ts';
import { forbidden } from '../failure.ts';
import type { Json } from '../json.ts';
import { asObject, asString, objectsIn } from '../json.ts';
import type { Objects } from '../objects.ts';

/** What a namespace does not let its pods do: run under a ServiceAccount that is missing, take more than its quotas give. Throws Failure. */
export function admitPod(pod: Json, objects: Objects): void {
  const { name, generateName, namespace } = asObject(pod.metadata);
  const subject = { group: '', kind: 'pods', name: asString(name ?? generateName) };
  const place = asString(namespace);
  const account = asString(asObject(pod.spec).serviceAccountName);
  if (!objects.get('/serviceaccounts', place, account)) {
    const why = `error looking up service account ${place}/${account}: serviceaccount "${account}" not found`;
    // The name is only given out after this.
    throw forbidden({ ...subject, name: asString(generateName ?? name) }, why);
  }
  const quotas = objects.list('/resourcequotas', place);
  if (quotas.length === 0) return;
  const others = objects.list('/pods', place).filter(({ status }) => !isOver(asObject(status)));
  for (const quota of quotas) {
    const hard = asObject(asObject(quota.spec).hard);
    const why = refusal(quota.metadata.name, hard, pod, others);
    if (why !== undefined) throw forbidden(subject, why);
  }
}

const isOver = ({ phase }: Json): boolean => phase === 'Succeeded' || phase === 'Failed';

function refusal(name: string, hard: Json, pod: Json, others: readonly Json[]): string | undefined {
  const kinds = Object.keys(hard).filter((kind) =>
    /^(?:count\/)?pods$|^(?:requests\.|limits\.)?(?:cpu|memory)$/.test(kind),
  );
  const unset = kinds.flatMap((kind) => {
    const containers = objectsIn(asObject(pod.spec).containers).filter((one) => valueOf(one, kind) === undefined);
    return isCount(kind) || containers.length === 0
      ? []
      : [`${kind} for: ${containers.map((one) => asString(one.name)).join(',')}`];
  });
  if (unset.length > 0) return `failed quota: ${name}: must specify ${unset.join('; ')}`;
  const over = kinds.filter(
    (kind) => usedBy([...others, pod], kind) > (quantity(hard[kind]) ?? Number.POSITIVE_INFINITY),
  );
  if (over.length === 0) return undefined;
  const list = (amount: (kind: string) => unknown): string =>
    over.map((kind) => `${kind}=${shown(amount(kind))}`).join(',');
  return `exceeded quota: ${name}, requested: ${list((kind) => asked(pod, kind))}, used: ${list((kind) => usedBy(others, kind))}, limited: ${list((kind) => hard[kind])}`;
}

const shown = (amount: unknown): string => (typeof amount === 'number' ? String(amount) : asString(amount));
const isCount = (kind: string): boolean => kind === 'pods' || kind === 'count/pods';
const usedBy = (pods: readonly Json[], kind: string): number =>
  pods.reduce((sum, pod) => sum + (isCount(kind) ? 1 : sumOf(pod, kind)), 0);

/** As it is written, where one container asks for it. */
function asked(pod: Json, kind: string): unknown {
  if (isCount(kind)) return 1;
  const values = objectsIn(asObject(pod.spec).containers).flatMap((one) => valueOf(one, kind) ?? []);
  return values.length === 1 ? values[0] : sumOf(pod, kind);
}

const sumOf = (pod: Json, kind: string): number =>
  objectsIn(asObject(pod.spec).containers).reduce((sum, one) => sum + (quantity(valueOf(one, kind)) ?? 0), 0);

function valueOf(container: Json, kind: string): unknown {
  const resources = asObject(container.resources);
  const [part, name] = kind.includes('.') ? kind.split('.') : ['requests', kind];
  return asObject(resources[part ?? ''])[name ?? ''];
}
