import { formatDuration } from './format.ts';
import type { SpanTree } from './span-tree.ts';
import { textOf } from './wire.ts';

/** A command that asks for the same. What could end the quotes is encoded. */
export function curlOf(origin: string, path: string): string {
  return `curl -sS '${new URL(path, origin).href.replaceAll("'", '%27')}'`;
}

const MOST_SPANS = 300;

/** A trace as text that people and assistants read: a list that is indented like the tree, and what failed. */
export function traceForReader(tree: SpanTree): string {
  const lines = tree.nodes.slice(0, MOST_SPANS).map(({ span, depth, start, end }) => {
    const failed = span.status.code === 'error' ? ` FAILED ${span.status.message}` : '';
    const attributes = Object.entries(span.attributes).map(([key, value]) => `${key}=${textOf(value)}`);
    const details = attributes.length > 0 ? ` {${attributes.join(', ')}}` : '';
    const exceptions = span.events
      .filter(({ name }) => name === 'exception')
      .map(
        ({ attributes: { 'exception.stacktrace': stack, 'exception.message': message } }) =>
          `\n${textOf(stack ?? message)}`,
      );
    const indent = '  '.repeat(depth);
    return `${indent}- ${span.name} [${span.service}] +${formatDuration(start)} ${formatDuration(end - start)}${failed}${details}${exceptions.join('').replaceAll('\n', `\n${indent}    `)}`;
  });
  const left = tree.nodes.length - lines.length;
  const [first] = tree.nodes;
  return [
    `Trace ${first?.span.traceId ?? ''} of tenant ${first?.span.tenant ?? ''}: ${tree.nodes.length} spans, ${tree.errors} failed, ${formatDuration(tree.durationNanos)}`,
    ...lines,
    ...(left > 0 ? [`… and ${left} more spans`] : []),
  ].join('\n');
}
