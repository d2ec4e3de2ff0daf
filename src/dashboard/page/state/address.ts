import { signal } from '@preact/signals';

/** The state of the page is its address: a link shows somebody else the same, and so does a reload. */
interface Address {
  readonly path: string;
  readonly params: URLSearchParams;
}

/** Which tenants, and which time: they stay when another view is opened. */
const KEPT = ['tenant', 'last', 'from', 'to'];

export const address = signal<Address>(readAddress());

/** Empty when it is missing. */
export function param(name: string): string {
  return address.value.params.get(name) ?? '';
}

export type Changes = Readonly<Record<string, string | undefined>>;

/** Another state of this view. `replace` leaves no step to go back to. */
export function setParams(changes: Changes, options: { readonly replace?: boolean } = {}): void {
  go(withParams(address.value.path, address.value.params, changes), options);
}

/** The address of another view, for the same tenants and time. */
export function hrefTo(path: string, changes: Changes = {}): string {
  const kept = new URLSearchParams();
  for (const name of KEPT) {
    const value = address.value.params.get(name);
    if (value !== null) kept.set(name, value);
  }
  return withParams(path, kept, changes);
}

export function go(href: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  if (href === location.pathname + location.search) return;
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  address.value = readAddress();
}

/** Has links to this page followed without loading it anew. */
export function followLinks(): void {
  addEventListener('popstate', () => {
    address.value = readAddress();
  });
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    const modified = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0;
    if (link === null || modified || event.defaultPrevented || link.target !== '' || link.download !== '') return;
    if (link.origin !== location.origin || link.protocol !== location.protocol) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}

function withParams(path: string, params: URLSearchParams, changes: Changes): string {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') next.delete(name);
    else next.set(name, value);
  }
  // Commas and colons are allowed in a query and easier to read.
  const text = next.toString().replaceAll('%2C', ',').replaceAll('%3A', ':');
  return text === '' ? path : `${path}?${text}`;
}

function readAddress(): Address {
  return { path: location.pathname, params: new URLSearchParams(location.search) };
}
