import { SegmentRing } from '../../../src/dashboard/store/ring/segment-ring.ts';
import { describeStore } from './store-conformance.ts';

describeStore('segment ring', () => Promise.resolve(new SegmentRing()));
