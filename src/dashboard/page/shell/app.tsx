import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useErrorBoundary } from 'preact/hooks';
import { EmptyState } from '../parts/empty-state.tsx';
import { address, go, hrefTo } from '../state/address.ts';
import { notice } from '../state/announce.ts';
import { tokenNeeded } from '../state/api.ts';
import { helpOpen } from '../state/keys.ts';
import { togglePause } from '../state/live.ts';
import { nextTheme } from '../state/theme.ts';
import { traceOf } from '../state/trace-path.ts';
import { useKeys } from '../state/use-keys.ts';
import { ErrorsView } from '../views/errors-view.tsx';
import { LogsView } from '../views/logs-view.tsx';
import { MetricsView } from '../views/metrics-view.tsx';
import { ServicesView } from '../views/services-view.tsx';
import { TenantsView } from '../views/tenants-view.tsx';
import { TraceView } from '../views/trace-view.tsx';
import { TracesView } from '../views/traces-view.tsx';
import { UsageView } from '../views/usage-view.tsx';
import { CommandPalette, paletteOpen } from './command-palette.tsx';
import { HelpDialog } from './help-dialog.tsx';
import { NavRail, VIEWS } from './nav-rail.tsx';
import { TokenForm } from './token-form.tsx';
import { TopBar } from './top-bar.tsx';

export function App(): JSX.Element {
  const { path } = address.value;
  useKeys('Everywhere', [
    ...VIEWS.map(({ path: target, name, key }) => ({ keys: `g ${key}`, words: name, run: () => go(hrefTo(target)) })),
    { keys: '/', words: 'Search', run: () => document.querySelector<HTMLInputElement>('[data-key="/"]')?.focus() },
    { keys: 'p', words: 'Pause, go on', run: togglePause },
    { keys: 'c', words: 'Colours: system, light, dark', run: nextTheme },
    {
      keys: '.',
      words: 'Go anywhere (also Ctrl K)',
      run: () => {
        paletteOpen.value = true;
      },
    },
    {
      keys: '?',
      words: 'This help',
      run: () => {
        helpOpen.value = true;
      },
    },
  ]);
  useEffect(() => {
    document.title = `${titleOf(path)} · isotrace`;
  }, [path]);
  if (tokenNeeded.value) return <TokenForm />;
  return (
    <div class="shell">
      <TopBar />
      <NavRail />
      <main class="view" id="view">
        <Guarded key={path}>
          <CurrentView path={path} />
        </Guarded>
      </main>
      <div class="toast" role="status" aria-live="polite" data-shown={notice.value !== ''}>
        {notice.value}
      </div>
      <HelpDialog />
      <CommandPalette />
    </div>
  );
}

/** A view that fails takes nothing else along. */
function Guarded({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const [error, again] = useErrorBoundary((cause) => reportError(cause)) as [unknown, () => void];
  if (error === undefined) return <>{children}</>;
  return (
    <EmptyState icon="errors" title="This view cannot be shown">
      <p>{error instanceof Error ? error.message : String(error)}</p>
      <p>
        <button type="button" class="button" onClick={again}>
          Try again
        </button>
      </p>
    </EmptyState>
  );
}

function CurrentView({ path }: { readonly path: string }): JSX.Element {
  const traceId = traceOf(path);
  if (traceId !== undefined) return <TraceView traceId={traceId} />;
  switch (path) {
    case '/logs':
      return <LogsView />;
    case '/metrics':
      return <MetricsView />;
    case '/services':
      return <ServicesView />;
    case '/errors':
      return <ErrorsView />;
    case '/usage':
      return <UsageView />;
    case '/tenants':
      return <TenantsView />;
    default:
      return <TracesView />;
  }
}

function titleOf(path: string): string {
  if (path.startsWith('/t/')) return `Trace ${path.slice(3, 11)}`;
  return VIEWS.find((view) => view.path === path)?.name ?? 'Traces';
}
