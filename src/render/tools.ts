import type { Kustomize } from './kustomize.ts';

/** Programs that render what stands in a repository. What an absent one would render is held back. */
export interface RenderTools {
  readonly kustomize?: Kustomize | undefined;
}

export async function closeTools({ kustomize }: RenderTools): Promise<void> {
  await kustomize?.close();
}
