import { describe, expect, it } from 'vitest';
import { parseCanary } from '../../src/canary/parse.ts';
import { deadTargetPort, hasSeveralPorts, mergePorts, servicePorts } from '../../src/canary/ports.ts';
import { renderService, type ServiceRole } from '../../src/canary/services.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { canary } from '../conformance/describe-target.ts';

type Json = Record<string, unknown>;

const deployment = (...containers: readonly Json[]): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'app', namespace: 'demo' },
  spec: {
    selector: { matchLabels: { app: 'app' } },
    template: { metadata: { labels: { app: 'app' } }, spec: { containers } },
  },
});
const one = deployment({ name: 'main', ports: [{ name: 'http', containerPort: 9898 }] });
const service = (...ports: readonly Json[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'app', namespace: 'demo' },
  spec: { type: 'NodePort', selector: { app: 'app' }, ports },
});
const specOf = (fields: Json) =>
  parseCanary(
    {
      ...canary,
      spec: { targetRef: { kind: 'Deployment', name: 'app' }, service: fields, analysis: { stepWeight: 10 } },
    },
    { provider: 'traefik', minIntervalMs: 1 },
  );
const found = (fields: Json, workload: KubeObject, apex?: KubeObject) => {
  const { ports, remarks } = servicePorts({ spec: specOf(fields), canary, workload, apex });
  return {
    ports: ports.map(({ name, port, protocol, targetPort }) => [name, port, protocol, targetPort].join(' ')),
    remarks,
  };
};

describe('portDiscovery', () => {
  const discovering = { port: 80, targetPort: 9898, portDiscovery: true };

  it('gives every number and protocol one port with a name of its own, and says what is not as it was', () => {
    const workload = deployment(
      { name: 'main', ports: [{ name: 'http', containerPort: 9898 }] },
      {
        name: 'metrics',
        ports: [
          { name: 'http', containerPort: 9100 },
          { name: 'stats', containerPort: 9797 },
          { name: 'stats2', containerPort: 9797 },
          { name: 'dns', containerPort: 53, protocol: 'UDP' },
          { name: 'dns-tcp', containerPort: 53 },
          { containerPort: 80 },
          { containerPort: 9898, protocol: 'UDP' },
          { containerPort: 3868, protocol: 'SCTP' },
        ],
      },
    );
    expect(found(discovering, workload)).toEqual({
      ports: [
        'http 80 TCP 9898',
        'http-9100 9100 TCP 9100',
        'stats 9797 TCP 9797',
        'dns 53 UDP 53',
        'dns-tcp 53 TCP 53',
        'udp-metrics-6 9898 UDP 9898',
        'sctp-metrics-7 3868 SCTP 3868',
      ],
      remarks: [
        'port http 9100/TCP of container metrics is called http-9100: another port is called http',
        'port stats2 9797/TCP of container metrics is left out: port stats has this number already',
        'port 80/TCP of container metrics is left out: port http has this number already',
      ],
    });
  });

  it('leaves out the sidecars of meshes', () => {
    const sidecar = (name: string, containerPort: number): Json => ({ name, ports: [{ containerPort }] });
    const workload = deployment(
      { name: 'main', ports: [{ containerPort: 9898 }] },
      sidecar('istio-proxy', 15_090),
      sidecar('linkerd-proxy', 4191),
      sidecar('envoy', 9901),
      sidecar('kuma-sidecar', 15_001),
      sidecar('exporter', 9100),
    );
    expect(found(discovering, workload).ports).toEqual(['http 80 TCP 9898', 'tcp-exporter-0 9100 TCP 9100']);
  });

  it('takes the first container that has the name of the target port for the one that is meant', () => {
    const workload = deployment(
      { name: 'main', ports: [{ name: 'web', containerPort: 8080 }] },
      { name: 'admin', ports: [{ name: 'web', containerPort: 8081 }] },
    );
    expect(found({ ...discovering, targetPort: 'web' }, workload).ports).toEqual([
      'http 80 TCP web',
      'web 8081 TCP 8081',
    ]);
  });

  it('makes names that an API server takes, however long the container’s is', () => {
    const long = 'a'.repeat(63);
    const { ports } = found(
      discovering,
      deployment({ name: long, ports: [{ containerPort: 1 }, { containerPort: 2, protocol: 'UDP' }] }),
    );
    const names = ports.map((port) => port.split(' ')[0] ?? '');
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
  });

  it('shows users of the primary the ports of its version, not those of the one that is judged', () => {
    const primary = { ...one, metadata: { name: 'app-primary', namespace: 'demo' } };
    const target = deployment({
      name: 'main',
      ports: [{ containerPort: 9898 }, { name: 'grpc', containerPort: 7000 }],
    });
    const names = (role: ServiceRole) => {
      const leadsTo = role === 'canary' ? 'canary' : 'primary';
      const selector = { label: 'app', value: 'app' };
      const input = {
        spec: specOf(discovering),
        canary,
        target,
        selector,
        role,
        leadsTo,
        primary,
        live: undefined,
      } as const;
      return (renderService(input)['spec'] as { ports: Json[] }).ports.map(({ name }) => name);
    };
    expect(names('apex')).toEqual(['http']);
    expect(names('primary')).toEqual(['http']);
    expect(names('canary')).toEqual(['http', 'grpc']);
  });
});

describe('an apex Service that is taken over', () => {
  it('keeps its other ports and the name of the one that the Canary speaks of', () => {
    const apex = service(
      { name: 'web', port: 80, targetPort: 'http', nodePort: 30_080, appProtocol: 'http' },
      { name: 'grpc', port: 9090, targetPort: 'grpc', nodePort: 30_090 },
      { name: 'dns', port: 80, targetPort: 53, protocol: 'UDP' },
    );
    const made = found({ port: 80, targetPort: 9898 }, one, apex);
    expect(made).toEqual({
      ports: ['web 80 TCP 9898', 'grpc 9090 TCP grpc', 'dns 80 UDP 53'],
      remarks: [],
    });
    expect(hasSeveralPorts(specOf({ port: 80 }), apex, canary)).toBe(true);
    expect(hasSeveralPorts(specOf({ port: 80 }), service({ port: 80 }), canary)).toBe(false);
  });

  it('goes on leading to the port that it led to where the Canary does not say another', () => {
    expect(found({ port: 80 }, one, service({ port: 80, targetPort: 9898 })).ports).toEqual(['http 80 TCP 9898']);
    expect(found({ port: 80 }, one).ports).toEqual(['http 80 TCP 80']);
  });

  it('is told of where a port gets another name', () => {
    expect(found({ port: 80, portName: 'http2' }, one, service({ name: 'web', port: 80 })).remarks).toEqual([
      'port 80 of the Service, web so far, is called http2: what names it has to follow',
    ]);
    const clash = service({ name: 'http', port: 8080 });
    expect(found({ port: 80 }, one, clash).ports).toEqual(['http-80 80 TCP 80', 'http 8080 TCP ']);
    expect(found({ port: 80, portName: 'http' }, one, clash)).toEqual({
      ports: ['http 80 TCP 80', 'http-8080 8080 TCP '],
      remarks: ['port 8080 of the Service, http so far, is called http-8080: the Canary calls its own port so'],
    });
  });

  it('gives names to ports that need none alone', () => {
    expect(found({ port: 80 }, one, service({ port: 9090 })).ports).toEqual(['http 80 TCP 80', 'tcp-9090 9090 TCP ']);
  });

  it('keeps its node ports, which the other Services do not get', () => {
    const apex = service({ name: 'web', port: 80, nodePort: 30_080 }, { name: 'grpc', port: 90, nodePort: 30_090 });
    const made = (role: ServiceRole, live?: KubeObject) => {
      const leadsTo = role === 'canary' ? 'canary' : 'primary';
      const selector = { label: 'app', value: 'app' };
      const spec = specOf({ port: 80, portName: 'http' });
      const input = { spec, canary, target: one, selector, role, leadsTo, apex, live } as const;
      const { ports } = renderService(input)['spec'] as { ports: Json[] };
      return ports.map(({ name, port, nodePort }) => [name, port, nodePort].join(' '));
    };
    expect(made('apex', apex)).toEqual(['http 80 30080', 'grpc 90 30090']);
    expect(made('primary')).toEqual(['http 80 ', 'grpc 90 ']);
    expect(made('canary')).toEqual(['http 80 ', 'grpc 90 ']);
  });

  it('is left as it is at the next look, whatever its containers have beside its ports', () => {
    const workload = deployment(
      { name: 'main', ports: [{ name: 'http', containerPort: 9898 }] },
      { name: 'dns', ports: [{ name: 'http', containerPort: 53, protocol: 'UDP' }, { containerPort: 9090 }] },
    );
    const spec = specOf({ port: 80, portDiscovery: true });
    const render = (apex: KubeObject, live: KubeObject, role: ServiceRole) =>
      renderService({
        spec,
        canary,
        target: workload,
        selector: { label: 'app', value: 'app' },
        role,
        apex,
        live,
        leadsTo: role === 'canary' ? 'canary' : 'primary',
      });
    const before = service(
      { port: 80, protocol: 'TCP', targetPort: 9898 },
      { name: 'x', port: 9090, protocol: 'TCP', targetPort: 'http' },
    );
    const apex = render(before, before, 'apex');
    expect((apex['spec'] as { ports: Json[] }).ports).toHaveLength(3);
    expect(render(apex, apex, 'apex')).toBe(apex);
    const primary = render(before, service(), 'primary');
    expect(render(apex, primary, 'primary')).toBe(primary);
  });

  it('that the Canary made itself has the Canary’s ports only', () => {
    const ownerReferences = [
      {
        apiVersion: 'flagger.app/v1beta1',
        kind: 'Canary',
        name: 'app',
        uid: canary.metadata.uid ?? '',
        controller: true,
      },
    ];
    const apex = service({ name: 'old', port: 1 });
    const own = { ...apex, metadata: { ...apex.metadata, ownerReferences } };
    expect(found({ port: 80 }, one, own).ports).toEqual(['http 80 TCP 80']);
  });
});

describe('a target port that no container has', () => {
  const render = (fields: Json, live: KubeObject | undefined, workload = one) => {
    const selector = { label: 'app', value: 'app' };
    const input = {
      spec: specOf(fields),
      canary,
      target: workload,
      selector,
      role: 'canary',
      leadsTo: 'canary',
      live,
    } as const;
    return renderService({ ...input, apex: undefined });
  };
  const targetOf = (made: KubeObject): unknown => (made['spec'] as { ports: Json[] }).ports[0]?.['targetPort'];

  it('is told, and does not take the place of one that users are led to', () => {
    expect(deadTargetPort(specOf({ port: 80, targetPort: 'htttp' }), one)).toBe(
      'no container of Deployment app has a port called htttp (there is http)',
    );
    for (const targetPort of ['http', 9898, 1])
      expect(deadTargetPort(specOf({ port: 80, targetPort }), one)).toBeUndefined();
    for (const before of [
      { port: 80, targetPort: 9898 },
      { port: 80, targetPort: 'http' },
    ]) {
      const live = render(before, undefined);
      expect(targetOf(render({ port: 80, targetPort: 'htttp' }, live))).toBe(before.targetPort);
    }
    expect(targetOf(render({ port: 80, targetPort: 'http' }, render({ port: 80, targetPort: 9898 }, undefined)))).toBe(
      'http',
    );
  });

  it('may be one of a sidecar that starts first', () => {
    const workload = deployment({ name: 'main' });
    const pod = (workload['spec'] as { template: { spec: Json } }).template.spec;
    pod['initContainers'] = [{ name: 'proxy', restartPolicy: 'Always', ports: [{ name: 'in', containerPort: 8000 }] }];
    expect(deadTargetPort(specOf({ port: 80, targetPort: 'in' }), workload)).toBeUndefined();
  });
});

describe('ports that stand already', () => {
  it('are the same in another order, also where a number is there with two protocols', () => {
    const udp = { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 };
    const tcp = { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 };
    const live = [udp, tcp];
    expect(mergePorts(live, [tcp, udp])).toBe(live);
  });
});
