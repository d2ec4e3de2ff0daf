import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { announce } from '../state/announce.ts';
import type { Answer } from '../state/api.ts';
import { Icon, type IconName } from './icon.tsx';

export interface CopyButtonProps {
  /** What it copies, in words: the button is called `Copy …`. */
  readonly what: string;
  /** Read when it is pressed. */
  readonly text: () => string | Promise<Answer<string>>;
  readonly words?: string;
  readonly icon?: IconName;
}

const DONE_MILLIS = 1_500;

export function CopyButton({ what, text, words, icon = 'copy' }: CopyButtonProps): JSX.Element {
  const [done, setDone] = useState(false);
  const copy = async (event: MouseEvent): Promise<void> => {
    event.stopPropagation();
    const given = await text();
    const answer = typeof given === 'string' ? { value: given } : given;
    if ('error' in answer) {
      announce(answer.error.message);
      return;
    }
    const copied = await copyText(answer.value);
    announce(copied ? `Copied ${what}` : 'The browser does not let this page copy');
    setDone(copied);
    setTimeout(() => setDone(false), DONE_MILLIS);
  };
  return (
    <button
      type="button"
      class={words === undefined ? 'icon-button' : 'button'}
      aria-label={`Copy ${what}`}
      title={`Copy ${what}`}
      onClick={(event) => void copy(event)}
    >
      {(words === undefined || done) && <Icon name={done ? 'check' : icon} size={words === undefined ? 16 : 14} />}
      {words}
    </button>
  );
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** Where the page is not served over https or from the machine itself there is no clipboard. */
function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'off-screen';
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  return copied;
}
