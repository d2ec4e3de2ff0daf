import { signal } from '@preact/signals';

/** What a key does; given by the view that is shown. */
export interface KeyBinding {
  /** As `event.key`; two that follow each other are written `g t`. */
  readonly keys: string;
  readonly words: string;
  readonly run: () => void;
}

interface Group {
  readonly title: string;
  readonly bindings: readonly KeyBinding[];
}

const SEQUENCE_MILLIS = 1_200;

export const keyGroups = signal<readonly Group[]>([]);
export const helpOpen = signal(false);

/** Puts a group of keys in force until the function that it returns is called. */
export function bindKeys(title: string, bindings: readonly KeyBinding[]): () => void {
  const group: Group = { title, bindings };
  keyGroups.value = [...keyGroups.peek(), group];
  return () => {
    keyGroups.value = keyGroups.peek().filter((other) => other !== group);
  };
}

/** Letters go to the page unless somebody writes. */
export function listenForKeys(): void {
  const pending = { key: '', at: 0 };
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
    if (document.querySelector('dialog[open]') !== null) return;
    const before = event.timeStamp - pending.at < SEQUENCE_MILLIS ? pending.key : '';
    const bindings = keyGroups.value.toReversed().flatMap((group) => group.bindings);
    const binding =
      (before && bindings.find(({ keys }) => keys === `${before} ${event.key}`)) ||
      bindings.find(({ keys }) => keys === event.key);
    pending.key = event.key;
    pending.at = event.timeStamp;
    if (!binding) return;
    event.preventDefault();
    pending.key = '';
    binding.run();
  });
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select');
}
