import type { SpanScope } from '../processing/span-host.ts';
import { VERSION } from '../utils/version.ts';

/** The instrumentation scope of spans that are made through isotrace's own methods. */
export const OWN_SCOPE: SpanScope = Object.freeze({ index: 0, name: 'isotrace', version: VERSION });
