import { readFileSync } from 'node:fs';

const manifest = new URL('../../node_modules/@opentelemetry/sdk-trace/package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string };

/** The major version of OpenTelemetry's SDK that the tests run with: 2, and in `npm run test:matrix` also 3. */
export const SDK_MAJOR = Number.parseInt(version, 10);

/** Sentry 10 has OpenTelemetry 2 and its API 1.9 for itself, whose globals the API of OpenTelemetry 3 does not see. */
export const MEETS_SENTRY = SDK_MAJOR < 3;
