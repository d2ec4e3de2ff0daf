import type { TracerRegistry } from '../../core/registry.ts';
import { detectGlobalSdk } from '../../infra/global-sdk.ts';
import { describeError } from '../../utils/errors.ts';
import { checkTracer } from './check-destination.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { loadModule } from './load-module.ts';

/** Loads a module of the user's and looks at what it did: who owns the globals, how its registry does. Never rejects. */
export async function checkModule(file: string, tenants: readonly string[], timeoutMillis: number): Promise<Finding[]> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await loadModule(file);
  } catch (error) {
    return [problem(file, `it cannot be loaded: ${describeError(error)}`, 'give a module that exports the registry')];
  }
  const findings = [checkGlobals()];
  const registry = Object.values(exported).find(isRegistry);
  if (registry === undefined) {
    return [
      ...findings,
      warning(file, 'it exports no registry', 'export it, as in "export const registry = new TracerRegistry(…)"'),
    ];
  }
  const { issues } = registry.health();
  for (const { option, accepted, received } of issues) {
    findings.push(problem(option, `${received} is not acceptable`, `accepted: ${accepted}`));
  }
  if (issues.length === 0) findings.push(ok('registry', 'its options are good'));
  for (const tenant of tenants) {
    findings.push(await checkTenant(registry, tenant, timeoutMillis));
  }
  await registry.shutdown({ timeoutMillis });
  return findings;
}

function checkGlobals(): Finding {
  const owner = detectGlobalSdk();
  const check = "OpenTelemetry's globals";
  if (owner === 'isotrace') return ok(check, 'isotrace owns them: instrumentation finds the tenant');
  if (owner === 'none') {
    return warning(
      check,
      'nobody owns them',
      'spans of instrumentation go nowhere; call registry.install(), or import isotrace/register first',
    );
  }
  return warning(
    check,
    `${owner} owns them`,
    'isotrace joins in: add createSpanProcessor(registry) to its span processors',
  );
}

async function checkTenant(registry: TracerRegistry, tenant: string, timeoutMillis: number): Promise<Finding> {
  const check = `tenant ${tenant}`;
  const tracer = registry.get(tenant);
  // A tenant that is configured asynchronously has its configuration once something of it is flushed.
  await tracer.flush({ timeoutMillis });
  const { reason, state } = tracer.health();
  if (state === 'disabled')
    return problem(check, reason ?? 'there is no such tenant', 'configure() answers undefined for it');
  if (state === 'degraded' || state === 'pending') {
    return problem(
      check,
      reason ?? 'its configuration has not come',
      'configure() threw, or took longer than two seconds',
    );
  }
  return checkTracer(tracer, check, timeoutMillis);
}

/** Also one of another copy of the package. */
function isRegistry(value: unknown): value is TracerRegistry {
  if (typeof value !== 'object' || value === null) return false;
  return ['get', 'health', 'install', 'shutdown'].every(
    (name) => typeof (value as Record<string, unknown>)[name] === 'function',
  );
}
