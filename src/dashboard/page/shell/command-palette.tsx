import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ServiceSummary, TenantSummary } from '../../store/store-figures.ts';
import { quoteValue } from '../model/complete-query.ts';
import { go, hrefTo } from '../state/address.ts';
import { apiPath } from '../state/api.ts';
import { tenantValues } from '../state/scope.ts';
import { nextTheme } from '../state/theme.ts';
import { useQuestion } from '../state/use-question.ts';
import { VIEWS } from './nav-rail.tsx';

export const paletteOpen = signal(false);

interface Command {
  readonly words: string;
  readonly run: () => void;
}

const MOST = 12;

/** Goes to a view, a tenant, a service or a trace by its id. */
export function CommandPalette(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = paletteOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.key !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      paletteOpen.value = !paletteOpen.value;
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, []);
  const close = (): void => {
    paletteOpen.value = false;
  };
  return (
    <dialog ref={dialog} class="palette" aria-label="Go anywhere" onClose={close}>
      {open && <Commands close={close} />}
    </dialog>
  );
}

function Commands({ close }: { readonly close: () => void }): JSX.Element {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const tenants = useQuestion<{ readonly tenants: readonly TenantSummary[] }>(apiPath('tenants'));
  const services = useQuestion<{ readonly services: readonly ServiceSummary[] }>(
    apiPath('services', { ...tenantValues(), start: '-168h' }),
  );
  const names = [...new Set(services.value?.services.map(({ service }) => service))];
  const id = text.trim().toLowerCase();
  const commands: Command[] = [
    ...(/^[\da-f]{32}$/.test(id) ? [{ words: `Trace ${id}`, run: () => go(hrefTo(`/t/${id}`)) }] : []),
    ...VIEWS.map(({ name, path }) => ({ words: name, run: () => go(hrefTo(path)) })),
    ...(tenants.value?.tenants ?? []).map(({ tenant }) => ({
      words: `Tenant ${tenant}`,
      run: () => go(hrefTo('/', { tenant })),
    })),
    ...names.map((name) => ({
      words: `Service ${name}`,
      run: () => go(hrefTo('/', { q: `service:${quoteValue(name)}` })),
    })),
    { words: 'Failed traces', run: () => go(hrefTo('/', { q: 'status:error' })) },
    { words: 'Colours: next', run: nextTheme },
  ];
  const found = commands.filter(({ words }) => words.toLowerCase().includes(text.trim().toLowerCase())).slice(0, MOST);
  const run = (command: Command | undefined): void => {
    close();
    command?.run();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move !== undefined) {
      event.preventDefault();
      setChosen((chosen + move + found.length) % Math.max(found.length, 1));
    } else if (event.key === 'Enter') run(found[chosen]);
  };
  return (
    <>
      <input
        class="input"
        role="combobox"
        aria-label="Go to"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={`palette-${chosen}`}
        placeholder="A view, a tenant, a service, or a trace by its id"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div id="palette-list" role="listbox" aria-label="Where to">
        {found.map((command, at) => (
          <div
            key={command.words}
            id={`palette-${at}`}
            role="option"
            tabIndex={-1}
            aria-selected={at === chosen}
            onMouseDown={() => run(command)}
          >
            {command.words}
          </div>
        ))}
        {found.length === 0 && <p class="hint">Nothing by that name.</p>}
      </div>
    </>
  );
}
