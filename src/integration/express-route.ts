/** What Express and its router put on a request. */
interface RoutedRequest {
  baseUrl?: string;
  params?: unknown;
  route?: { readonly path?: unknown };
}

/** Where a router is mounted: what the request has there, and the template that stands for it. */
interface Mount {
  readonly url: string;
  readonly template: string;
}

/** Mounts beyond this many are none of an application's own: an expression matches whatever clients send. */
const MAX_MOUNTS = 256;

/**
 * Finds the templates of routes of Express 4 and 5. `route.path` is the template of the route within its router; of where
 * the router is mounted, Express keeps only what the request has there (`baseUrl`). So each request's `baseUrl` and `route`
 * are watched: when a router is entered, `params` has the values that stand in `baseUrl`, which tell the template.
 */
export class ExpressRoutes {
  /** Mounts in lower case, because routing ignores case, with their spelling. */
  readonly #mounts = new Map<string, string>();

  /** A function that answers the template of the route that the request has reached. May throw what the request throws. */
  watch(request: object): () => string | undefined {
    const routed = request as RoutedRequest;
    const mounts: Mount[] = [{ url: '', template: '' }];
    let template: string | undefined;
    // Express gives a request that is not in a router yet no `baseUrl`.
    if (typeof routed.baseUrl === 'string' && routed.baseUrl !== '') this.#enter(mounts, routed.baseUrl, routed.params);
    watchProperty(routed, 'baseUrl', (url) => {
      while (mounts.length > 1 && !isWithin(url, mounts.at(-1)?.url)) mounts.pop();
      if (typeof url === 'string' && url !== mounts.at(-1)?.url) this.#enter(mounts, url, routed.params);
    });
    watchProperty(routed, 'route', (route) => {
      const path = pathOf((route as RoutedRequest['route'])?.path);
      const base = mounts.at(-1)?.template;
      template = path === undefined || base === undefined ? undefined : join(base, path);
    });
    return () => template;
  }

  #enter(mounts: Mount[], url: string, params: unknown): void {
    const outer = mounts.at(-1);
    const added = url.slice(outer?.url.length ?? 0);
    mounts.push({ url, template: this.#known((outer?.template ?? '') + templateOf(added, params)) });
  }

  #known(template: string): string {
    const key = template.toLowerCase();
    const known = this.#mounts.get(key);
    if (known !== undefined) return known;
    if (this.#mounts.size >= MAX_MOUNTS) return '/*';
    this.#mounts.set(key, template);
    return template;
  }
}

/** The segments that a router's parameters took, by the names of the parameters. */
function templateOf(url: string, params: unknown): string {
  const segments = url.split('/');
  for (const [name, value] of Object.entries((params ?? {}) as object)) {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    for (const part of values) {
      const index = segments.findIndex(
        (segment) => segment !== '' && !segment.startsWith(':') && decoded(segment) === part,
      );
      if (index >= 0) segments[index] = `:${name}`;
      else if (typeof part === 'string' && part !== '') replaceWithin(segments, part, name);
    }
  }
  return segments.join('/');
}

/** A parameter that is only a part of a segment, or more than one. */
function replaceWithin(segments: string[], part: string, name: string): void {
  const index = segments.findIndex((segment) => !segment.startsWith(':') && decoded(segment).includes(part));
  if (index >= 0) segments[index] = `:${name}`;
  else segments.splice(1, segments.length - 1, `*${name}`);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function isWithin(url: unknown, mount: string | undefined): boolean {
  return typeof url === 'string' && mount !== undefined && (url === mount || url.startsWith(`${mount}/`));
}

function pathOf(path: unknown): string | undefined {
  if (typeof path === 'string') return path;
  if (path instanceof RegExp) return String(path);
  return Array.isArray(path) ? path.map(String).join('|') : undefined;
}

function join(base: string, path: string): string {
  if (base === '') return path;
  return path === '/' ? base : base + path;
}

/** Tells of each value that is put in a property, which otherwise stays as it is. */
function watchProperty<T extends object, K extends keyof T & string>(
  target: T,
  key: K,
  written: (value: unknown) => void,
): void {
  let value = target[key];
  Reflect.defineProperty(target, key, {
    get: () => value,
    set: (next: T[K]) => {
      value = next;
      try {
        written(next);
      } catch {
        // The route stays unknown.
      }
    },
    enumerable: true,
    configurable: true,
  });
}
