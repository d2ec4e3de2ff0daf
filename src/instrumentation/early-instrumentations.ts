import { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { fillRegisterSlot, registerSlot } from '../infra/register-slot.ts';
import { describeError } from '../utils/errors.ts';

/** What is used of import-in-the-middle, which lets OpenTelemetry's instrumentations see ES modules. */
interface SyncHooks {
  supportsSyncHooks(): boolean;
  register(): void;
}

/**
 * Prepares a process before the application is loaded: ES modules can be instrumented, and the instrumentations of
 * `@opentelemetry/auto-instrumentations-node`, where that is installed, watch modules as they are loaded. They record
 * nothing until a registry is installed, which takes them over. Never rejects; a second call does nothing.
 */
export async function prepareInstrumentations(): Promise<void> {
  if (registerSlot() !== undefined) return;
  fillRegisterSlot([], undefined);
  const problems: string[] = [];
  const attempt = async <T>(what: string, run: () => Promise<T>, isOptional: boolean): Promise<T | undefined> => {
    try {
      return await run();
    } catch (error) {
      const isMissing = (error as { code?: unknown } | null)?.code === 'ERR_MODULE_NOT_FOUND';
      if (!isMissing || !isOptional) problems.push(`${what}: ${describeError(error)}`);
      return undefined;
    }
  };
  await attempt('ES modules cannot be instrumented', hookModules, false);
  const created = await attempt('auto-instrumentations-node cannot be used', autoInstrumentations, true);
  fillRegisterSlot(created ?? [], problems.length > 0 ? problems.join('; ') : undefined);
}

async function hookModules(): Promise<void> {
  // The hook must be of the very copy that the instrumentations use.
  await import('@opentelemetry/instrumentation');
  const require = createRequire(import.meta.url);
  const requireAsInstrumentation = createRequire(require.resolve('@opentelemetry/instrumentation'));
  if (hookInThread(requireAsInstrumentation)) return;
  register(pathToFileURL(require.resolve('@opentelemetry/instrumentation/hook.mjs')));
}

/** Hooks without a thread of their own, where Node.js and import-in-the-middle have them. */
function hookInThread(require: NodeJS.Require): boolean {
  try {
    const { supportsSyncHooks } = require('import-in-the-middle/supports-sync-hooks.mjs') as SyncHooks;
    if (!supportsSyncHooks()) return false;
    (require('import-in-the-middle/register-hooks.mjs') as SyncHooks).register();
    return true;
  } catch {
    return false;
  }
}

async function autoInstrumentations(): Promise<readonly unknown[]> {
  const { getNodeAutoInstrumentations } = await import('@opentelemetry/auto-instrumentations-node');
  return getNodeAutoInstrumentations();
}
