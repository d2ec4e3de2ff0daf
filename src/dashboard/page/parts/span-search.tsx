import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { param, setParams } from '../state/address.ts';
import type { ApiError } from '../state/api.ts';
import { interest, NO_MATCH } from '../state/live.ts';
import { Problem } from './empty-state.tsx';
import { QueryBox } from './query-box.tsx';

/** How a view begins that sums up the spans that a search finds: live events have nothing to tell it one by one. */
export function SpanSearch(props: { readonly placeholder: string; readonly error: ApiError | undefined }): JSX.Element {
  useEffect(() => {
    interest.value = { query: NO_MATCH, logs: NO_MATCH };
  }, []);
  return (
    <>
      <div class="toolbar">
        <QueryBox
          signal="traces"
          value={param('q')}
          placeholder={props.placeholder}
          onSearch={(q) => setParams({ q })}
        />
      </div>
      {props.error && <Problem error={props.error} />}
    </>
  );
}
