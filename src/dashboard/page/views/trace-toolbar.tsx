import type { JSX } from 'preact';
import { formatCount } from '../model/format.ts';
import type { SpanTree } from '../model/span-tree.ts';
import { Icon } from '../parts/icon.tsx';
import { param, setParams } from '../state/address.ts';

export interface TraceActions {
  readonly nextError: (by: 1 | -1) => void;
  readonly nextMatch: (by: 1 | -1) => void;
  readonly collapseAll: () => void;
  readonly expandAll: () => void;
  readonly togglePath: () => void;
}

const TABS = [
  ['waterfall', 'Waterfall'],
  ['logs', 'Logs'],
  ['usage', 'Tokens and cost'],
] as const;

export function TraceToolbar(props: {
  readonly tree: SpanTree;
  readonly matches: number;
  readonly actions: TraceActions;
}): JSX.Element {
  const { tree, matches, actions } = props;
  const find = param('find');
  const tab = param('tab') || 'waterfall';
  return (
    <div class="toolbar">
      <div class="segmented" role="group" aria-label="Parts of the trace">
        {TABS.map(([name, words]) => (
          <button
            type="button"
            key={name}
            aria-pressed={tab === name}
            onClick={() => setParams({ tab: name === 'waterfall' ? undefined : name })}
          >
            {words}
          </button>
        ))}
      </div>
      <search class="query small">
        <Icon name="search" />
        <input
          type="text"
          aria-label="Search in this trace"
          data-key="/"
          spellcheck={false}
          autocomplete="off"
          placeholder="Search in this trace"
          value={find}
          onInput={(event) => setParams({ find: event.currentTarget.value }, { replace: true })}
          onKeyDown={(event) => {
            if (event.key === 'Enter') actions.nextMatch(event.shiftKey ? -1 : 1);
            if (event.key === 'Escape') event.currentTarget.blur();
          }}
        />
        {find !== '' && <small role="status">{matches === 0 ? 'no match' : `${formatCount(matches)} match`}</small>}
        <kbd>/</kbd>
      </search>
      <Pair name="match" disabled={matches === 0} keys={['N', 'n']} go={actions.nextMatch} />
      <Pair
        name="failed span"
        disabled={tree.errors === 0}
        keys={['E', 'e']}
        go={actions.nextError}
        tone="error"
        words={`${formatCount(tree.errors)} failed`}
      />
      <span class="spring" />
      <button
        type="button"
        class="button"
        aria-pressed={param('path') !== ''}
        title="What the trace waited for (x)"
        onClick={actions.togglePath}
      >
        <Icon name="path" />
        <span class="button-label">Critical path</span>
      </button>
      <button type="button" class="button" title="Collapse all (-)" onClick={actions.collapseAll}>
        Collapse
      </button>
      <button type="button" class="button" title="Expand all (+)" onClick={actions.expandAll}>
        Expand
      </button>
    </div>
  );
}

function Pair(props: {
  readonly name: string;
  readonly disabled: boolean;
  readonly keys: readonly [before: string, next: string];
  readonly go: (by: 1 | -1) => void;
  readonly tone?: string;
  readonly words?: string;
}): JSX.Element {
  const { name, disabled, keys, go, tone = '', words } = props;
  return (
    <div class={`segmented ${tone}`} role="group" aria-label={`Go to a ${name}`}>
      <button
        type="button"
        disabled={disabled}
        aria-label={`Previous ${name}`}
        title={`Previous ${name} (${keys[0]})`}
        onClick={() => go(-1)}
      >
        <span class="upwards">
          <Icon name="down" size={14} />
        </span>
      </button>
      {words !== undefined && <span>{words}</span>}
      <button
        type="button"
        disabled={disabled}
        aria-label={`Next ${name}`}
        title={`Next ${name} (${keys[1]})`}
        onClick={() => go(1)}
      >
        <Icon name="down" size={14} />
      </button>
    </div>
  );
}
