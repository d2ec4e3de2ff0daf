import type { JSX } from 'preact';
import { quoteValue } from '../model/complete-query.ts';
import { textOf, type WireAttributes, type WireValue } from '../model/wire.ts';
import { CopyButton } from './copy-button.tsx';
import { Icon } from './icon.tsx';

const LONG = 200;

/** Attributes, each with its value to copy and to search for. */
export function KeyValues(props: {
  readonly values: WireAttributes;
  /** `attr.` or `resource.`; nothing can be searched for without it. */
  readonly prefix?: string;
  readonly filter?: string;
  readonly onSearch?: (term: string) => void;
}): JSX.Element {
  const { values, prefix, filter = '', onSearch } = props;
  const wanted = filter.toLowerCase();
  const entries = Object.entries(values)
    .filter(([key, value]) => `${key} ${textOf(value)}`.toLowerCase().includes(wanted))
    .sort(([left], [right]) => (left < right ? -1 : 1));
  if (entries.length === 0) return <p class="hint">None{wanted === '' ? '' : ' that match'}.</p>;
  return (
    <dl class="key-values">
      {entries.map(([key, value]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>
            <ValueText value={value} />
            <span class="row-actions">
              {onSearch && prefix !== undefined && isPlain(value) && (
                <button
                  type="button"
                  class="icon-button"
                  aria-label={`Search for ${key}`}
                  title={`Search for ${key} = ${textOf(value)}`}
                  onClick={() => onSearch(`${prefix}${key}=${quoteValue(String(value))}`)}
                >
                  <Icon name="filter" />
                </button>
              )}
              <CopyButton what={key} text={() => textOf(value)} />
            </span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function ValueText({ value }: { readonly value: WireValue }): JSX.Element {
  const text = typeof value === 'object' && value !== null ? JSON.stringify(value, undefined, 2) : textOf(value);
  const type = value === null ? 'null' : typeof value;
  if (text.length > LONG || text.includes('\n')) return <pre class={`value ${type}`}>{text}</pre>;
  return <span class={`value ${type}`}>{text === '' ? '""' : text}</span>;
}

function isPlain(value: WireValue): value is string | number | boolean {
  return value !== null && typeof value !== 'object';
}
