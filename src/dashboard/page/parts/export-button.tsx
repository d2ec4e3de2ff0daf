import type { JSX } from 'preact';
import { Icon } from './icon.tsx';

/** Saves what the view shows as OTLP. */
export function ExportButton(props: {
  readonly what: 'traces' | 'log records' | 'metrics';
  readonly disabled: boolean;
  readonly onExport: () => Promise<void>;
}): JSX.Element {
  const label = `Export these ${props.what} as OTLP`;
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={`${label}, JSON lines`}
      disabled={props.disabled}
      onClick={() => void props.onExport()}
    >
      <Icon name="download" />
    </button>
  );
}
