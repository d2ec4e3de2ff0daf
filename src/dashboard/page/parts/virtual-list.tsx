import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import type { ComponentChildren, JSX, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface VirtualListProps {
  readonly id: string;
  readonly label: string;
  readonly role: 'grid' | 'treegrid';
  readonly count: number;
  readonly rowHeight: number;
  /** Of the row that has the keyboard; negative for none. */
  readonly active: number;
  /** Counts up when the active row must come into view. */
  readonly reveal?: number;
  readonly columns?: number;
  readonly class?: string;
  readonly header?: ComponentChildren;
  readonly scroller?: RefObject<HTMLDivElement | null>;
  /** Of a row that is opened, measured instead of known. */
  readonly isOpen?: (index: number) => boolean;
  readonly keyOf?: (index: number) => string;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
  readonly row: (index: number) => ComponentChildren;
}

const OVERSCAN = 12;

/** A list of any length of which only what is seen is in the document. */
export function VirtualList(props: VirtualListProps): JSX.Element {
  const { id, label, role, count, rowHeight, active, reveal = 0, isOpen, keyOf, header, row } = props;
  const own = useRef<HTMLDivElement>(null);
  const scroller = props.scroller ?? own;
  const [, redraw] = useState(0);
  const [virtualizer] = useState(
    () =>
      new Virtualizer<HTMLDivElement, HTMLElement>({
        ...{ count, overscan: OVERSCAN, estimateSize: () => rowHeight },
        ...{ getScrollElement: () => scroller.current, scrollToFn: elementScroll },
        ...{ observeElementRect, observeElementOffset },
      }),
  );
  virtualizer.setOptions({
    ...virtualizer.options,
    count,
    estimateSize: () => rowHeight,
    getItemKey: keyOf ?? ((index) => index),
    onChange: () => redraw((number) => number + 1),
  });
  useEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  useLayoutEffect(() => {
    if (active >= 0 && reveal > 0) virtualizer.scrollToIndex(active, { align: 'auto' });
  }, [reveal]);
  const items = virtualizer.getVirtualItems();
  return (
    <div
      id={id}
      ref={scroller}
      role={role}
      aria-label={label}
      aria-rowcount={count}
      aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
      tabIndex={0}
      class={`virtual ${props.class ?? ''}`}
      onKeyDown={props.onKeyDown}
    >
      {header}
      <div class="virtual-space" role="rowgroup" style={{ height: `${virtualizer.getTotalSize()}px` }}>
        {items.map(({ key, index, start }) => (
          <div
            key={String(key)}
            role="presentation"
            class="virtual-item"
            data-index={index}
            ref={(element) => {
              if (isOpen?.(index)) virtualizer.measureElement(element);
            }}
            style={{ transform: `translateY(${start}px)`, ...(!isOpen?.(index) && { height: `${rowHeight}px` }) }}
          >
            {row(index)}
          </div>
        ))}
      </div>
    </div>
  );
}
