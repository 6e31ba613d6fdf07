import { busybox, pause } from './idle.ts';
import type { DemoImage } from './image.ts';
import { loadtester } from './loadtester.ts';
import { podinfo } from './podinfo.ts';
import { quotes } from './quotes.ts';

/** The images that the sandbox can run, by the last part of their repository. */
const images: Readonly<Record<string, DemoImage>> = {
  podinfo,
  quotes,
  quotesbackend: quotes,
  'flagger-loadtester': loadtester,
  busybox,
  pause,
};

export const imageNames: readonly string[] = Object.keys(images);

export interface FoundImage {
  readonly image: DemoImage;
  readonly tag: string;
}

/** Undefined: nothing to pull. */
export type FindImage = (reference: string) => FoundImage | undefined;

/** Unknown repositories have what `unknown` has; absent: nothing. */
export function findImage(reference: string, unknown?: DemoImage): FoundImage | undefined {
  const [plain = ''] = reference.split('@');
  const last = plain.slice(plain.lastIndexOf('/') + 1);
  const [name = '', tag = 'latest'] = last.split(':');
  const image = Object.hasOwn(images, name) ? images[name] : unknown;
  return image?.has(tag) && !tag.startsWith('missing') ? { image, tag } : undefined;
}
