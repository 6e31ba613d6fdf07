import { describe, expect, it } from 'vitest';
import { difference, differences, judge, wantedOf } from './differences.ts';
import { facesOfRecording, facesOfReplay } from './facets.ts';
import { faults, objectsOf, recordingOf, recordings } from './recording.ts';
import { replay } from './replay.ts';

function differenceOf(name: string): string[] {
  const gold = recordingOf(name);
  const objects = objectsOf(name);
  return difference(facesOfRecording(gold, objects), facesOfReplay(replay(gold, objects), gold, objects));
}

/** Of these outages, too, all that differs is listed; of the others only what shows the fault. */
const isListedWhole = (name: string): boolean => name.startsWith('faults/r08-');

describe('recordings of Flagger 1.44', () => {
  it.each(recordings)('%s goes as it went there, apart from what is meant to differ', (name) => {
    expect(judge(differenceOf(name), wantedOf(name))).toEqual({ unwanted: [], missing: [], miscounted: [] });
  });

  it.each(faults)('%s shows an outage that we do without [R2] [R3] [R5] [R8] [R9] [R10] [R50] [R60]', (name) => {
    const found = differenceOf(name);
    expect(wantedOf(name)).not.toEqual([]);
    const { unwanted, missing } = judge(found, wantedOf(name));
    expect({ missing, unwanted: isListedWhole(name) ? unwanted : [] }).toEqual({ missing: [], unwanted: [] });
  });

  it('are different for a reason, each of which names some', () => {
    const names = [...recordings, ...faults];
    for (const wanted of differences) {
      expect(wanted.why.length).toBeGreaterThan(20);
      expect(names.filter((name) => wantedOf(name, [wanted]).length > 0)).not.toEqual([]);
    }
  });
});
