import path from 'node:path';

/** What `isotrace init` asks for; each choice with the words that the question shows. */
export const FRAMEWORKS = {
  express: 'Express 4 or 5',
  fastify: 'Fastify 5',
  koa: 'Koa 3',
  hono: 'Hono 4',
  http: 'node:http, https, http2',
  nestjs: 'NestJS 11',
  none: 'none: jobs, scripts, workers',
} as const;

export const TENANT_SOURCES = {
  header: 'a header that your gateway sets (x-tenant)',
  subdomain: 'the subdomain (acme.example.com)',
  path: 'the path (/t/acme/…)',
  user: 'the authenticated user (req.user, a JWT claim)',
  function: 'a function that you fill in',
} as const;

export const DESTINATIONS = {
  dashboard: "isotrace's dashboard, for development",
  collector: 'one collector, with a header that names the tenant',
  directory: 'an endpoint and a key for each tenant, from a directory of yours',
} as const;

export type Framework = keyof typeof FRAMEWORKS;
export type TenantSource = keyof typeof TENANT_SOURCES;
export type DestinationKind = keyof typeof DESTINATIONS;

export interface InitAnswers {
  readonly framework: Framework;
  readonly tenant: TenantSource;
  readonly destination: DestinationKind;
  /** Where the modules go, relative to the project, with `/`. */
  readonly directory: string;
  readonly service: string;
}

/** Answers that were given by flags. */
export type GivenAnswers = { readonly [Name in keyof InitAnswers]?: InitAnswers[Name] | undefined };

/**
 * A directory in the form that import specifiers have; `undefined` when it cannot stand in one, or is outside of the
 * project. Whether a link leads out of it, the writer sees.
 */
export function normalizeDirectory(text: string): string | undefined {
  const directory = path.posix.normalize(text.replaceAll(path.sep, '/')).replace(/\/$/, '');
  const isInside = !/^(?:\.{0,2}$|\.\.\/|\/)/.test(directory);
  return isInside && /^[\w@./ -]+$/.test(directory) ? directory : undefined;
}

export const DIRECTORY_ACCEPTED = 'a directory inside the project, of letters, digits and -_@.';

/** What a service may be called: printable, because it stands in source code and in terminals. */
export const SERVICE_NAME = /^[^\p{C}\p{Zl}\p{Zp}]{1,255}$/u;

/**
 * The tenant source that is offered first. A header works at once while developing; where telemetry leaves the machine,
 * what has been authenticated comes first. Without a framework there are no requests.
 */
export function defaultTenantSource(framework: Framework, destination: DestinationKind): TenantSource {
  if (framework === 'none') return 'function';
  return destination === 'dashboard' ? 'header' : 'user';
}
