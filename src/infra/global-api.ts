import { context as contextApi } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';

/** Where all copies of the API of one major version keep what is registered, and the version of who came first. */
const GLOBALS = Symbol.for('opentelemetry.js.api.1');

type Globals = { readonly version?: unknown } | undefined;

/** Two copies of OpenTelemetry's API in one process, of which the second may register nothing. */
export interface ApiConflict {
  /** Of the copy that registered something first. */
  readonly registered: string;
  /** Of the copy that isotrace uses. */
  readonly own: string;
}

/** Whether another version of the API has registered something, after which ours is refused. Changes nothing. */
export function findApiConflict(): ApiConflict | undefined {
  const registered = versionOf(globals());
  const own = registered === undefined ? undefined : ownVersion();
  if (registered === undefined || own === undefined || registered === own) return undefined;
  return { registered, own };
}

export function describeConflict({ own, registered }: ApiConflict): string {
  return `@opentelemetry/api ${registered} came first, and isotrace uses ${own}, which may register nothing then`;
}

/** What our copy notes where nobody has registered anything; it does not tell its version otherwise. */
function ownVersion(): string | undefined {
  const taken = globals();
  try {
    Reflect.deleteProperty(globalThis, GLOBALS);
    contextApi.setGlobalContextManager(new AsyncLocalStorageContextManager());
    return versionOf(globals());
  } finally {
    Reflect.set(globalThis, GLOBALS, taken);
  }
}

function globals(): Globals {
  return Reflect.get(globalThis, GLOBALS) as Globals;
}

function versionOf(registered: Globals): string | undefined {
  return typeof registered?.version === 'string' ? registered.version : undefined;
}
