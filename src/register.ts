/**
 * For `node --import isotrace/register app.js`: lets OpenTelemetry's instrumentations see the modules of the
 * application, whether ES modules or CommonJS, until `registry.install()` gives their spans to tenants.
 */
import { prepareInstrumentations } from './instrumentation/early-instrumentations.ts';

await prepareInstrumentations();
