import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icon.tsx';

/** A button that opens a small panel, which Escape and a click elsewhere close. */
export function Popover(props: {
  readonly name: string;
  readonly label: ComponentChildren;
  readonly icon: IconName;
  readonly alignEnd?: boolean;
  readonly children: (close: () => void) => ComponentChildren;
}): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event: Event): void => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    root.current?.querySelector<HTMLElement>('.popover input, .popover button, .popover a')?.focus();
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);
  return (
    <div
      class="popover-root"
      ref={root}
      role="presentation"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return;
        event.stopPropagation();
        close();
      }}
    >
      <button
        type="button"
        ref={button}
        class="button"
        aria-haspopup="dialog"
        aria-expanded={open}
        aria-label={props.name}
        onClick={() => setOpen(!open)}
      >
        <Icon name={props.icon} />
        <span class="button-label">{props.label}</span>
        <Icon name="down" size={12} />
      </button>
      {open && (
        <div class={`popover${props.alignEnd ? ' end' : ''}`} role="dialog" aria-label={props.name}>
          {props.children(close)}
        </div>
      )}
    </div>
  );
}
