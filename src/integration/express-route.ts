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
  readonly params: Params;
}

type Params = Readonly<Record<string, unknown>>;

/** Mounts beyond this many are none of an application's own: an expression matches whatever clients send. */
const MAX_MOUNTS = 256;
/** Of Unicode's private use area. */
const FIRST_MARK = 0xe000;

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
    const mounts: Mount[] = [{ url: '', template: '', params: {} }];
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
    const outer = mounts.at(-1) as Mount;
    const template = outer.template + templateOf(url.slice(outer.url.length), params, outer.params);
    mounts.push({ url, template: this.#known(template), params: { ...outer.params, ...(params as Params) } });
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

/**
 * The path of a mount with the names of its parameters where their values stand. Values are looked for from the end,
 * because what is fixed mostly comes first. One that is not there is an outer router's, or the path cannot be told.
 */
function templateOf(path: string, params: unknown, outer: Params): string {
  const names = new Map<string, string>();
  let text = decoded(path);
  for (const [name, value] of Object.entries((params ?? {}) as Params).reverse()) {
    for (const part of (Array.isArray(value) ? value : [value]).reverse() as unknown[]) {
      if (typeof part !== 'string' || part === '') continue;
      // A mark that no later value is found in.
      const mark = String.fromCharCode(FIRST_MARK + names.size);
      const marked = replaceLast(text, part, mark);
      if (marked !== undefined) {
        text = marked;
        names.set(mark, `:${name}`);
      } else if (String(outer[name]) !== String(value)) return '/*';
    }
  }
  for (const [mark, name] of names) text = text.replaceAll(mark, name);
  return text;
}

/** A whole segment rather than a part of one. */
function replaceLast(text: string, part: string, mark: string): string | undefined {
  const segment = `${text}/`.lastIndexOf(`/${part}/`);
  const at = segment >= 0 ? segment + 1 : text.lastIndexOf(part);
  return at < 0 ? undefined : text.slice(0, at) + mark + text.slice(at + part.length);
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
