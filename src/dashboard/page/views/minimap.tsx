import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { serviceClass } from '../model/service-hue.ts';
import type { SpanTree } from '../model/span-tree.ts';
import { cssColor } from '../parts/css-color.ts';
import { isDark } from '../state/theme.ts';
import { setZoom, zoomOf } from '../state/zoom.ts';

const HEIGHT = 56;

/** The whole trace in small; to drag over it looks at a part of its time. */
export function Minimap({ tree }: { readonly tree: SpanTree }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drag, setDrag] = useState<readonly [from: number, to: number]>();
  const dark = isDark.value;
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => draw(element, tree));
    observer.observe(element);
    return () => observer.disconnect();
  }, [tree, dark]);
  const zoom = zoomOf();
  const zoomed = zoom.from > 0 || zoom.to < 1;
  const shown = drag ?? [zoom.from, zoom.to];
  const shareAt = (event: PointerEvent): number => {
    const box = canvas.current?.getBoundingClientRect();
    return box === undefined ? 0 : Math.min(Math.max((event.clientX - box.left) / Math.max(box.width, 1), 0), 1);
  };
  return (
    <div
      class="minimap"
      role="presentation"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag([shareAt(event), shareAt(event)]);
      }}
      onPointerMove={(event) => drag && setDrag([drag[0], shareAt(event)])}
      onPointerUp={() => {
        setDrag(undefined);
        if (drag !== undefined && Math.abs(drag[1] - drag[0]) > 0.004) setZoom(drag[0], drag[1]);
      }}
      onDblClick={() => setZoom(0, 1)}
    >
      <canvas
        ref={canvas}
        height={HEIGHT}
        role="img"
        aria-label="The whole trace. Drag to look at a part of its time"
      />
      {(zoomed || drag) && (
        <>
          <i class="shade" style={{ left: '0', width: `${Math.min(...shown) * 100}%` }} />
          <i class="shade" style={{ left: `${Math.max(...shown) * 100}%`, right: '0' }} />
        </>
      )}
      {zoomed && (
        <button
          type="button"
          class="button"
          onPointerDown={(event) => event.stopPropagation()}
          onClick={() => setZoom(0, 1)}
        >
          Whole trace
        </button>
      )}
    </div>
  );
}

function draw(canvas: HTMLCanvasElement, tree: SpanTree): void {
  const ratio = devicePixelRatio;
  const width = canvas.clientWidth;
  canvas.width = Math.max(Math.round(width * ratio), 1);
  canvas.height = HEIGHT * ratio;
  const pen = canvas.getContext('2d');
  if (pen === null) return;
  pen.scale(ratio, ratio);
  const step = Math.min((HEIGHT - 4) / Math.max(tree.nodes.length, 1), 6);
  const scale = width / Math.max(tree.durationNanos, 1);
  const bad = cssColor('--error-bar');
  const colors = new Map<string, string>();
  for (const { span, start, end, index } of tree.nodes) {
    const name = serviceClass(span.service);
    const known = colors.get(name) ?? cssColor('--hue', name);
    colors.set(name, known);
    pen.fillStyle = span.status.code === 'error' ? bad : known;
    pen.fillRect(start * scale, 2 + index * step, Math.max((end - start) * scale, 1), Math.max(step - 0.5, 0.8));
  }
}
