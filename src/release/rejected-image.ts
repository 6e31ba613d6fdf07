import { isLapsed, type Ledger, type QuarantineEntry } from './ledger.ts';

export interface RejectedImage {
  /** As it is written now. */
  readonly image: string;
  readonly entry: QuarantineEntry;
}

/**
 * The image of a state that was rejected before together with something else: another variable, another ConfigMap. Undefined: none.
 * Images of the stable state are proven, whatever was rejected beside them. The same digest is the same image, wherever it lies; where one
 * of both has none, the same repository and tag is.
 */
export function rejectedImage(
  { quarantine, stable }: Ledger,
  images: Readonly<Record<string, string>>,
  nowMs: number,
): RejectedImage | undefined {
  const proven = Object.values(stable?.images ?? {}).map(partsOf);
  const unproven = Object.values(images).filter((image) => !proven.some((one) => isSame(one, partsOf(image))));
  for (const entry of quarantine.toReversed()) {
    if (isLapsed(entry, nowMs)) continue;
    const rejected = Object.values(entry.images).map(partsOf);
    const image = unproven.find((one) => rejected.some((other) => isSame(other, partsOf(one))));
    if (image !== undefined) return { image, entry };
  }
  return undefined;
}

interface Parts {
  readonly repository: string;
  readonly tag: string;
  /** Absent: not known. */
  readonly digest?: string;
}

function isSame(a: Parts, b: Parts): boolean {
  if (a.digest !== undefined && b.digest !== undefined) return a.digest === b.digest;
  return a.tag !== '' && a.tag === b.tag && a.repository === b.repository;
}

/** `nginx` and `docker.io/library/nginx:latest` are the same. */
function partsOf(image: string): Parts {
  const [reference = '', digest] = image.trim().split('@');
  const tagAt = reference.lastIndexOf(':') > reference.lastIndexOf('/') ? reference.lastIndexOf(':') : -1;
  const name = tagAt < 0 ? reference : reference.slice(0, tagAt);
  const tag = tagAt < 0 ? (digest === undefined ? 'latest' : '') : reference.slice(tagAt + 1);
  const [host = ''] = name.split('/');
  const isHost = name.includes('/') && (/[.:]/.test(host) || host === 'localhost');
  const path = isHost ? name : `docker.io/${name.includes('/') ? name : `library/${name}`}`;
  return {
    repository: path.replace(/^index\.docker\.io\//, 'docker.io/'),
    tag,
    ...(digest === undefined ? {} : { digest }),
  };
}
