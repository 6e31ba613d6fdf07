import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BlockList } from 'node:net';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { addressCheck } from '../../src/lib/http/addresses.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): unknown => parse(readFileSync(join(root, path), 'utf8'));

interface Block {
  readonly cidr: string;
  readonly except: readonly string[];
}
interface Policy {
  readonly metadata: { readonly namespace?: string };
  readonly spec: {
    readonly podSelector: { readonly matchLabels: object };
    readonly ingress: readonly { readonly ports: readonly { readonly port: number }[] }[];
    readonly egress: readonly {
      readonly to?: readonly { readonly ipBlock: Block }[];
      readonly ports?: readonly { readonly port: number }[];
    }[];
  };
}

describe.each(['manifests', 'manifests/namespaced'])('the network policy of %s', (folder) => {
  const policy = read(`${folder}/network-policy.yaml`) as Policy;
  const pod = read(`${folder}/deployment.yaml`) as {
    spec: { selector: object; template: { spec: { containers: { ports: { containerPort: number }[] }[] } } };
  };

  it('is installed, and meant for the agent and its ports', () => {
    expect(read(`${folder}/kustomization.yaml`)).toMatchObject({
      resources: expect.arrayContaining(['network-policy.yaml']),
    });
    expect(policy.spec.podSelector).toEqual(pod.spec.selector);
    const ports = pod.spec.template.spec.containers.flatMap((container) =>
      container.ports.map(({ containerPort }) => containerPort),
    );
    expect(policy.spec.ingress.flatMap((rule) => rule.ports.map(({ port }) => port))).toEqual(ports);
  });

  it('lets the agent reach no metadata service, and everything else that it asks', () => {
    const refused = addressCheck({ mayLoopback: true });
    const denied = new BlockList();
    const rules = policy.spec.egress.filter(({ to }) => to !== undefined);
    expect(rules).toHaveLength(1);
    for (const { ipBlock } of rules[0]?.to ?? [])
      for (const network of ipBlock.except) {
        const [address = '', length] = network.split('/');
        denied.addSubnet(address, Number(length), ipBlock.cidr.includes(':') ? 'ipv6' : 'ipv4');
      }
    const isDenied = (address: string): boolean => denied.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
    for (const address of [
      '169.254.169.254',
      '169.254.170.2',
      '100.100.100.200',
      '168.63.129.16',
      '192.0.0.192',
      'fe80::1',
      'fd00:ec2::254',
      'fd20:ce::254',
      'fd00:42::42',
    ])
      expect([address, isDenied(address), refused(address) !== undefined]).toEqual([address, true, true]);
    for (const address of ['10.96.0.1', '192.168.1.1', '172.16.0.1', '1.1.1.1', 'fd00::1', '2001:db8::1'])
      expect([address, isDenied(address), refused(address)]).toEqual([address, false, undefined]);
    // Names are asked for at any address, as of a cache on the node.
    expect(policy.spec.egress.find(({ to }) => to === undefined)?.ports?.map(({ port }) => port)).toEqual([53, 53]);
  });
});
