import { loadtester } from '../loadtester/loadtester.ts';
import { busybox, pause } from './idle.ts';
import type { DemoImage } from './image.ts';
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

export interface FoundImage {
  readonly image: DemoImage;
  readonly tag: string;
}

/** Undefined: nothing to pull, either the repository or the tag is unknown. */
export function findImage(reference: string): FoundImage | undefined {
  const [plain = ''] = reference.split('@');
  const last = plain.slice(plain.lastIndexOf('/') + 1);
  const [name = '', tag = 'latest'] = last.split(':');
  const image = Object.hasOwn(images, name) ? images[name] : undefined;
  return image?.has(tag) && !tag.startsWith('missing') ? { image, tag } : undefined;
}
