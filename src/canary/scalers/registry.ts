import type { AutoscalerSpec } from '../types.ts';
import { hpa } from './hpa.ts';
import { scaledObject } from './scaled-object.ts';
import type { Scaler } from './scaler.ts';

/** All kinds of autoscalers, by `CanarySpec.autoscaler.kind`. */
export const scalers: Readonly<Record<AutoscalerSpec['kind'], Scaler>> = {
  HorizontalPodAutoscaler: hpa,
  ScaledObject: scaledObject,
};
