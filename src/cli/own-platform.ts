const architectures: ReadonlyMap<string, string> = new Map([
  ['x64', 'amd64'],
  ['ia32', '386'],
  ['ppc64', 'ppc64le'],
]);

/** What images have to be for to run on a machine like this one, as registries name it. Nodes of Kubernetes that agents run on have Linux. */
export const ownPlatform = `linux/${architectures.get(process.arch) ?? process.arch}`;
