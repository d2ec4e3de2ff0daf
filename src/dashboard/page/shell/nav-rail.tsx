import type { JSX } from 'preact';
import { Icon, type IconName } from '../parts/icon.tsx';
import { address, hrefTo } from '../state/address.ts';

export const VIEWS: readonly {
  readonly path: string;
  readonly name: string;
  readonly icon: IconName;
  /** After `g`. */
  readonly key: string;
}[] = [
  { path: '/', name: 'Traces', icon: 'traces', key: 't' },
  { path: '/logs', name: 'Logs', icon: 'logs', key: 'l' },
  { path: '/metrics', name: 'Metrics', icon: 'metrics', key: 'm' },
  { path: '/services', name: 'Services', icon: 'services', key: 's' },
  { path: '/errors', name: 'Errors', icon: 'errors', key: 'e' },
  { path: '/usage', name: 'Usage', icon: 'usage', key: 'u' },
  { path: '/tenants', name: 'Tenants', icon: 'tenants', key: 'h' },
];

export function NavRail(): JSX.Element {
  const { path } = address.value;
  return (
    <nav class="rail" aria-label="Views">
      {VIEWS.map((view) => (
        <a
          key={view.path}
          href={hrefTo(view.path)}
          title={`${view.name} (g ${view.key})`}
          aria-current={path === view.path || (view.path === '/' && path.startsWith('/t/')) ? 'page' : undefined}
        >
          <Icon name={view.icon} size={20} />
          <span>{view.name}</span>
        </a>
      ))}
    </nav>
  );
}
