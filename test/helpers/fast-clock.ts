export { fastClock } from '../../src/lib/fast-clock.ts';
