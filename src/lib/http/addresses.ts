import { BlockList, isIP } from 'node:net';

/** Why an address is no place to send anything to that somebody else has named. */
export type AddressRefusal = 'link-local' | 'of a cloud metadata service' | 'loopback' | 'unspecified' | 'multicast';

export interface AddressRules {
  /** The agent's own machine: in a pod its own ports and those of its sidecars. */
  readonly mayLoopback: boolean;
  /** Addresses and networks (`10.0.0.0/8`) that may be asked whatever else is true of them. */
  readonly allowed?: readonly string[];
}

const refused: readonly (readonly [why: AddressRefusal, networks: readonly string[]])[] = [
  // AWS, GCP, Scaleway; Alibaba; Azure; Oracle.
  [
    'of a cloud metadata service',
    [
      '169.254.169.254/32',
      'fd00:ec2::/32',
      'fd20:ce::254/128',
      'fd00:42::42/128',
      '100.100.100.200/32',
      '168.63.129.16/32',
      '192.0.0.192/32',
    ],
  ],
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  ['loopback', ['127.0.0.0/8', '::1/128']],
  // What is sent to these reaches the machine itself.
  ['unspecified', ['0.0.0.0/8', '::/128']],
  ['multicast', ['224.0.0.0/3', 'ff00::/8']],
];

const refusedLists = refused.map(([why, networks]) => [why, blockList(networks)] as const);

/** What proxies resolve for themselves. Elsewhere the address tells. */
const metadataNames = new Set(['metadata.google.internal', 'metadata.goog', 'instance-data.ec2.internal']);

/** A check of addresses: why one is refused; undefined where it may be asked. Throws where `allowed` holds no addresses. */
export function addressCheck({
  mayLoopback,
  allowed = [],
}: AddressRules): (address: string) => AddressRefusal | undefined {
  const exceptions = blockList(allowed);
  return (text) => {
    const meant = meantAddresses(text);
    if (meant.some((address) => holds(exceptions, address))) return undefined;
    for (const [why, list] of refusedLists) {
      if (why === 'loopback' && mayLoopback) continue;
      if (meant.some((address) => holds(list, address))) return why;
    }
    return undefined;
  };
}

/** As `addressCheck`, of the host of a URL: `[::1]`, an address in any spelling that URLs know, or a name. Names say little. */
export function hostRefusal(
  hostname: string,
  check: (address: string) => AddressRefusal | undefined,
): AddressRefusal | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isIP(bare) !== 0) return check(bare);
  return metadataNames.has(bare.toLowerCase()) ? check('169.254.169.254') : undefined;
}

/** Why this is no address and no network, as settings name them; undefined where it is one. */
export function networkProblem(text: string): string | undefined {
  const [address = '', length, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || more.length > 0) return `"${text}" is no IP address`;
  if (length === undefined) return undefined;
  const longest = family === 4 ? 32 : 128;
  return /^\d{1,3}$/.test(length) && Number(length) <= longest ? undefined : `"${text}" is no network like 10.0.0.0/8`;
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const problem = networkProblem(network);
    if (problem !== undefined) throw new Error(problem);
    const [address = '', length] = network.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    list.addSubnet(address, length === undefined ? (family === 'ipv4' ? 32 : 128) : Number(length), family);
  }
  return list;
}

const holds = (list: BlockList, address: string): boolean => list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');

/** The address itself, and the IPv4 address that it carries: machines and gateways on the way send to that. */
function meantAddresses(text: string): readonly string[] {
  const address = text.replace(/%.*$/, '');
  if (isIP(address) !== 6) return [address];
  const groups = groupsOf(address);
  const v4At = (index: number): string => {
    const [high = 0, low = 0] = groups.slice(index, index + 2);
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  };
  const begins = (...wanted: number[]): boolean => wanted.every((group, index) => groups[index] === group);
  // ::1 and :: are addresses of their own.
  const isCompatible = begins(0, 0, 0, 0, 0, 0) && (groups[6] !== 0 || (groups[7] ?? 0) > 1);
  const isMapped = begins(0, 0, 0, 0, 0, 0xffff) || begins(0, 0, 0, 0, 0xffff, 0);
  const isTranslated = begins(0x64, 0xff9b);
  if (isCompatible || isMapped || isTranslated) return [address, v4At(6)];
  // 6to4
  return begins(0x2002) ? [address, v4At(1)] : [address];
}

/** The eight groups of an IPv6 address in any spelling. */
function groupsOf(address: string): readonly number[] {
  // A URL spells it in hexadecimal groups, whatever it was.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [parse(head), parse(tail ?? '')];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}
