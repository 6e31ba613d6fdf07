/** Which cluster. A context is one of the kubeconfig's; absent: its current one. */
export type ClusterSource =
  /** Kubeconfigs that are merged, as kubectl does it. */
  | { readonly kind: 'files'; readonly paths: readonly string[]; readonly context?: string }
  | { readonly kind: 'in-cluster' }
  /** The service account of this pod, at that API server. */
  | { readonly kind: 'service-account'; readonly server: string }
  | { readonly kind: 'file'; readonly path: string; readonly context?: string }
  | { readonly kind: 'text'; readonly text: string };
