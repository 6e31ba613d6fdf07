import { messageOf } from '../lib/errors.ts';
import { nameOf } from './identity.ts';
import { type Manifest, type Problem, refOf } from './types.ts';

/**
 * Does work on one object of many. Where it throws, that object is told with its place, and the others go on: undefined where nothing is
 * wrong. Whatever a loop over objects from Git does with each of them stands in here.
 */
export function faultOf(manifest: Manifest, work: () => void): Problem | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    const { path, line } = manifest.origin;
    const message = `${nameOf(refOf(manifest.object))} cannot be worked on: ${messageOf(error).slice(0, 300)}`;
    return { severity: 'error', path, line, message, hint };
  }
}

const hint =
  'what the cluster has of it stays; write it in another way, and report it with this message: it should be understood or refused with a reason';
