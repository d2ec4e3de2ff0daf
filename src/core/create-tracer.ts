import { readHostPlatform } from '../infra/environment.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { INTEGER_OPTIONS } from '../utils/integer-options.ts';
import { configError, resolveStandaloneSettings } from './config.ts';
import { House } from './house.ts';
import type { CreateTracerOptions } from './registry-options.ts';
import type { Tracer } from './tracer.ts';

/**
 * A tracer without a registry, with connections of its own: for a workflow, a script, a plugin. For many tenants use
 * a registry, whose tracers share what can be shared. `OTEL_*` variables do not apply.
 *
 * @throws IsotraceError with code `config_invalid` and every problem in `issues`, under `strict: true` only
 */
export function createTracer(options: CreateTracerOptions = {}): Tracer {
  return createTracerWith(options, []);
}

/** As {@link createTracer}, for options that were made of others: `found` is what was wrong with those. */
export function createTracerWith(options: CreateTracerOptions, found: readonly ConfigIssue[]): Tracer {
  const host = readHostPlatform();
  const resolved = resolveStandaloneSettings(options, host.platform);
  const { settings } = resolved;
  const issues = found.length === 0 ? resolved.issues : [...found, ...resolved.issues];
  if (settings.strict && issues.length > 0) throw configError(issues);
  const { tracer, logger, clock } = settings;
  const house = new House(
    {
      defaults: tracer,
      host,
      logger,
      clock,
      maxTotalBytes: INTEGER_OPTIONS.maxTotalBytes.default,
      drainTimeoutMillis: INTEGER_OPTIONS.drainTimeoutMillis.default,
    },
    issues,
    {
      readmit: () => undefined,
      drained: () => undefined,
      closed: (_runtime, timeLeftMillis) => house.close(timeLeftMillis),
    },
  );
  const runtime = house.createRuntime(tracer.tenantId);
  runtime.configure(tracer, issues);
  return runtime.handle as Tracer;
}
