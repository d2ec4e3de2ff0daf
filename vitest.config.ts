import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { TotalsReporter } from './scripts/totals-reporter.ts';

export default defineConfig({
  // Node has no decorators yet: a target below esnext makes esbuild compile the standard ones.
  esbuild: { target: 'es2022' },
  resolve: {
    alias: [
      { find: /^isotrace$/, replacement: fileURLToPath(new URL('src/index.ts', import.meta.url)) },
      { find: /^isotrace\/([a-z-]+)$/, replacement: fileURLToPath(new URL('src/$1.ts', import.meta.url)) },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build-page.ts'],
    pool: 'forks',
    // Many tests wait for sockets and processes most of their time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    execArgv: ['--expose-gc'],
    // A busy machine may take ten times as long as an idle one.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    reporters: ['default', new TotalsReporter()],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // They run in a browser, and as a process of their own, where this does not look.
      exclude: ['src/dashboard/page/**', 'src/cli.ts'],
      reporter: ['text', 'html', 'json-summary'],
      thresholds: { lines: 90 },
    },
  },
});
