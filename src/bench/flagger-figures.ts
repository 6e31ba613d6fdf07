/** Flagger 1.44.0 on the same kind of API server, one run's worth of the same canaries; seconds, MiB, milliseconds of CPU. */
export interface FlaggerFigures {
  readonly flags: 'default' | 'best';
  readonly rest: {
    readonly requestsPerTick: number;
    readonly cpuMsPerTick: number;
    readonly rssMib: number;
    readonly tickPeriodMax: number;
    readonly ticksDone: number;
    readonly ticksDue: number;
  };
  readonly release: {
    readonly noticedMean: number;
    readonly noticedMax: number;
    readonly firstWeightMean: number;
    readonly firstWeightMax: number;
    readonly finishedMean: number;
    readonly finishedMax: number;
    readonly stepGapMax: number;
    readonly requests: number;
    readonly cpuMs: number;
    readonly rssPeakMib: number;
    /** Of ten for each canary, as a share. */
    readonly eventsWritten: number;
    readonly rejected: number;
  };
}

/** Measured with 10, 100 and 1,000 canaries. The best flags are `-kubeconfig-qps 5000 -kubeconfig-burst 10000 -threadiness 16`. */
export const flaggerFigures: ReadonlyMap<number, readonly FlaggerFigures[]> = new Map([
  [
    10,
    [
      {
        flags: 'default',
        rest: {
          requestsPerTick: 11,
          cpuMsPerTick: 2.25,
          rssMib: 62,
          tickPeriodMax: 10,
          ticksDone: 120,
          ticksDue: 120,
        },
        release: {
          noticedMean: 2.4,
          noticedMax: 2.5,
          firstWeightMean: 12.3,
          firstWeightMax: 12.3,
          finishedMean: 82.4,
          finishedMax: 82.4,
          stepGapMax: 10.1,
          requests: 165,
          cpuMs: 35,
          rssPeakMib: 64,
          eventsWritten: 1,
          rejected: 0,
        },
      },
    ],
  ],
  [
    100,
    [
      {
        flags: 'default',
        rest: {
          requestsPerTick: 11.11,
          cpuMsPerTick: 4.4,
          rssMib: 72,
          tickPeriodMax: 10,
          ticksDone: 1_290,
          ticksDue: 1_200,
        },
        release: {
          noticedMean: 8.7,
          noticedMax: 21.1,
          firstWeightMean: 19.9,
          firstWeightMax: 32.2,
          finishedMean: 101.7,
          finishedMax: 114,
          stepGapMax: 11.2,
          requests: 165.1,
          cpuMs: 73.9,
          rssPeakMib: 76,
          eventsWritten: 0.112,
          rejected: 0,
        },
      },
    ],
  ],
  [
    1_000,
    [
      {
        flags: 'default',
        rest: {
          requestsPerTick: 10.84,
          cpuMsPerTick: 4.98,
          rssMib: 112,
          tickPeriodMax: 91,
          ticksDone: 4_505,
          ticksDue: 40_000,
        },
        release: {
          noticedMean: 109.8,
          noticedMax: 160.2,
          firstWeightMean: 219.6,
          firstWeightMax: 270.3,
          finishedMean: 1_030.6,
          finishedMax: 1_081.6,
          stepGapMax: 114.2,
          requests: 157.6,
          cpuMs: 82.3,
          rssPeakMib: 152,
          eventsWritten: 0.0107,
          rejected: 0,
        },
      },
      {
        flags: 'best',
        rest: {
          requestsPerTick: 10.66,
          cpuMsPerTick: 1.98,
          rssMib: 124,
          tickPeriodMax: 65.4,
          ticksDone: 10_504,
          ticksDue: 12_000,
        },
        release: {
          noticedMean: 16.5,
          noticedMax: 67,
          firstWeightMean: 56.7,
          firstWeightMax: 108.8,
          finishedMean: 171.7,
          finishedMax: 215.7,
          stepGapMax: 72.4,
          requests: 269.2,
          cpuMs: 61.5,
          rssPeakMib: 163,
          eventsWritten: 0.786,
          rejected: 1_770,
        },
      },
    ],
  ],
]);
