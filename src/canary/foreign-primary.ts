import type { KubeObject } from '../manifest/types.ts';
import { imagesOf } from './configs.ts';

/**
 * What the primary's containers run in place of the images that the promoted target has, by container and in full references; undefined
 * where it is the same. Containers that only the primary has are somebody's sidecars.
 */
export function foreignImages(primary: KubeObject, target: KubeObject): string | undefined {
  const serving = new Map(Object.entries(imagesOf(primary)));
  const different = Object.entries(imagesOf(target)).flatMap(([container, image]) => {
    const now = serving.get(container);
    return now === undefined || now === image ? [] : [`${container} ${now} instead of ${image}`];
  });
  return different.length === 0 ? undefined : different.join(', ');
}
