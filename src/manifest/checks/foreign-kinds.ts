import type { Finding } from './finding.ts';

/** Groups whose definitions clusters often have; their sub-groups too. */
export const wellKnownGroups: readonly string[] = (
  'gateway.networking.k8s.io gateway.networking.x-k8s.io policy.networking.k8s.io ' +
  'snapshot.storage.k8s.io metrics.k8s.io custom.metrics.k8s.io external.metrics.k8s.io ' +
  'autoscaling.k8s.io x-k8s.io istio.io traefik.io traefik.containo.us projectcontour.io smi-spec.io ' +
  'linkerd.io kuma.io solo.io appmesh.k8s.aws apisix.apache.org konghq.com nginx.org ' +
  'gateway.envoyproxy.io getambassador.io keda.sh knative.dev coreos.com cert-manager.io ' +
  'external-secrets.io bitnami.com cilium.io projectcalico.org metallb.io kyverno.io gatekeeper.sh ' +
  'velero.io crossplane.io upbound.io karpenter.sh karpenter.k8s.aws longhorn.io cnpg.io zalan.do ' +
  'strimzi.io k8s.elastic.co jaegertracing.io opentelemetry.io grafana.com integreatly.org ' +
  'victoriametrics.com cloud.google.com networking.gke.io k8s.aws azure.com openshift.io argoproj.io ' +
  'toolkit.fluxcd.io tekton.dev hashicorp.com dapr.io rabbitmq.com redis.opstreelabs.in mongodb.com ' +
  'percona.com externaldns.k8s.io secrets-store.csi.x-k8s.io'
).split(' ');

/** Kinds of other tools, which people who come from them may take for something that Serin does. */
const told: readonly {
  readonly group: RegExp;
  readonly kind: RegExp;
  readonly message: string;
  readonly hint: string;
}[] = [
  {
    group: /(^|\.)(weave\.works|helm\.fluxcd\.io)$/,
    kind: /^HelmRelease$/,
    message: 'is for the Helm operator of Flux v1, which is maintained no more; Serin does not render charts',
    hint: 'commit the output of "helm template" instead',
  },
  {
    group: /^helm\.toolkit\.fluxcd\.io$/,
    kind: /^HelmRelease$/,
    message:
      'is for the helm-controller of Flux: it is applied as it is, and Serin does not render the chart, or release what it makes',
    hint: 'commit the output of "helm template" instead',
  },
  {
    group: /^image\.toolkit\.fluxcd\.io$/,
    kind: /./,
    message: 'is for the image controllers of Flux, and for Serin where an ImageUpdateAutomation says so',
    hint: 'annotate the ImageUpdateAutomation with serin.dev/image-updates: "true" once that of Flux is suspended',
  },
  {
    group: /(^|\.)toolkit\.fluxcd\.io$/,
    kind: /./,
    message: 'is for a controller of Flux, and does nothing in Serin',
    hint: 'it is applied only where that controller is installed',
  },
  {
    group: /^argoproj\.io$/,
    kind: /^Rollout$/,
    message: 'is released by Argo Rollouts, and not by Serin: it is applied as it is',
    hint: 'write a Deployment and a Canary (flagger.app/v1beta1) to have it released here',
  },
  {
    group: /^argoproj\.io$/,
    kind: /^(Application|ApplicationSet|AppProject)$/,
    message: 'is for Argo CD: it is applied as it is, and what it names is not',
    hint: 'leave it out where Argo CD is not installed',
  },
];

export function foreignKind(group: string, kind: string): Finding | undefined {
  const found = told.find((one) => one.group.test(group) && one.kind.test(kind));
  return found && { field: 'kind', message: `${kind} ${found.message}`, hint: found.hint, severity: 'warning' };
}
