import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Signal } from '../../otlp/signal.ts';
import { parseQuery } from '../../query/parse-query.ts';
import type { FacetAnswer } from '../../store/telemetry-store.ts';
import { applyCompletion, type CompletionPlace, completionPlace, fixedValues } from '../model/complete-query.ts';
import { formatCompact } from '../model/format.ts';
import { apiPath, ask } from '../state/api.ts';
import { tenantValues } from '../state/scope.ts';
import { Icon } from './icon.tsx';

export interface QueryBoxProps {
  readonly signal: Signal;
  readonly value: string;
  readonly placeholder: string;
  /** Called with a query that can be read, when it is to be looked for. */
  readonly onSearch: (query: string) => void;
}

interface Completion {
  readonly value: string;
  readonly count: number;
}

const ASK_MILLIS = 60;
const MOST = 12;
const LIST_ID = 'completions';

/** The search of a view, with completion from what is stored. */
export function QueryBox({ signal, value, placeholder, onSearch }: QueryBoxProps): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  const [place, setPlace] = useState<CompletionPlace>();
  const [answer, setAnswer] = useState<{ readonly place: CompletionPlace; readonly values: readonly Completion[] }>();
  const [chosen, setChosen] = useState<string>();
  // What was found for another place of the text is nothing to this one.
  const isSamePlace = place?.field === answer?.place.field && place?.start === answer?.place.start;
  const found = isSamePlace ? (answer?.values ?? []) : [];
  const at = found.findIndex(({ value: completion }) => completion === chosen);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (place === undefined) return setAnswer(undefined);
    const abort = new AbortController();
    const timer = setTimeout(() => {
      complete(signal, place, abort.signal).then(
        (values) => setAnswer({ place, values }),
        () => {},
      );
    }, ASK_MILLIS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [signal, place?.field, place?.prefix, place?.start]);
  const parsed = parseQuery(text, signal);
  const close = (): void => {
    setPlace(undefined);
    setChosen(undefined);
  };
  const lookAround = (): void => {
    const caret = input.current?.selectionStart ?? null;
    setPlace(caret === null ? undefined : completionPlace(input.current?.value ?? '', caret));
    setChosen(undefined);
  };
  const search = (query: string): void => {
    close();
    setText(query);
    if (parseQuery(query, signal).ok) onSearch(query.trim());
  };
  const take = ({ value: completion }: Completion): void => {
    if (place === undefined || input.current === null) return;
    const next = applyCompletion(text, place, completion, signal);
    input.current.value = next.text;
    input.current.setSelectionRange(next.caret, next.caret);
    input.current.focus();
    setText(next.text);
    if (place.field === undefined) lookAround();
    else close();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const candidate = found[at];
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move !== undefined) {
      event.preventDefault();
      if (place === undefined) lookAround();
      else if (found.length > 0)
        setChosen(found[(at + move + found.length + (at < 0 && move < 0 ? 1 : 0)) % found.length]?.value);
    } else if ((event.key === 'Enter' || event.key === 'Tab') && place !== undefined && candidate !== undefined) {
      event.preventDefault();
      take(candidate);
    } else if (event.key === 'Enter') search(text);
    else if (event.key === 'Escape') {
      if (found.length > 0) close();
      else input.current?.blur();
    }
  };
  const isOpen = place !== undefined && found.length > 0;
  return (
    <search class="query">
      <Icon name="search" />
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label={`Search ${signal}`}
        aria-expanded={isOpen}
        aria-controls={LIST_ID}
        aria-autocomplete="list"
        aria-activedescendant={isOpen && at >= 0 ? `${LIST_ID}-${at}` : undefined}
        aria-invalid={!parsed.ok}
        data-key="/"
        spellcheck={false}
        autocomplete="off"
        placeholder={placeholder}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          lookAround();
        }}
        onKeyDown={onKeyDown}
        onFocus={lookAround}
        onClick={lookAround}
        onBlur={close}
      />
      {text !== '' && (
        <button type="button" class="icon-button" aria-label="Clear the search" onClick={() => search('')}>
          <Icon name="close" />
        </button>
      )}
      <kbd>/</kbd>
      <div id={LIST_ID} role="listbox" aria-label="Completions" class="completions" hidden={!isOpen}>
        {found.map((completion, index) => (
          <div
            key={completion.value}
            id={`${LIST_ID}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onMouseDown={(event) => {
              event.preventDefault();
              take(completion);
            }}
          >
            <span>{completion.value === '' ? '""' : completion.value}</span>
            {completion.count > 0 && <small>{formatCompact(completion.count)}</small>}
          </div>
        ))}
      </div>
      {!parsed.ok && text !== '' && (
        <p class="query-error" role="status">
          {parsed.message}
          {parsed.position.start < text.length && <code>{text.slice(parsed.position.start, parsed.position.end)}</code>}
        </p>
      )}
    </search>
  );
}

async function complete(signal: Signal, place: CompletionPlace, abort: AbortSignal): Promise<readonly Completion[]> {
  const { field, prefix } = place;
  const fixed = fixedValues(field)?.filter((value) => value.startsWith(prefix));
  if (fixed !== undefined) return fixed.map((value) => ({ value, count: 0 }));
  const asked =
    field === undefined || !field.includes('.') || /^(?:attr|resource)\./.test(field) ? field : `attr.${field}`;
  const answers = await Promise.all(
    // A name with a dot may be written without its `attr.`.
    (field === undefined && prefix !== '' ? [prefix, `attr.${prefix}`] : [prefix]).map((begin) =>
      ask<FacetAnswer>(
        apiPath('facets', { ...tenantValues(), signal, field: asked, prefix: begin, limit: MOST }),
        abort,
      ),
    ),
  );
  return answers.flatMap((answer) => ('value' in answer ? answer.value.values : [])).slice(0, MOST);
}
