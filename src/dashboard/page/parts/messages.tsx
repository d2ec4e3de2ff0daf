import type { JSX } from 'preact';
import { textOf, type WireAttributes, type WireValue } from '../model/wire.ts';

const SOURCES = [
  ['gen_ai.system_instructions', 'system'],
  ['gen_ai.input.messages', 'input'],
  ['gen_ai.output.messages', 'output'],
  ['gen_ai.tool.call.arguments', 'tool call'],
  ['gen_ai.tool.call.result', 'tool result'],
] as const;
const MOST = 40;

interface Message {
  readonly role: string;
  readonly text: string;
}

/** What a model was told and said, by the conventions for generative AI. */
export function Messages({ attributes }: { readonly attributes: WireAttributes }): JSX.Element | null {
  const messages = SOURCES.flatMap(([key, role]) => {
    const value = attributes[key];
    return value === undefined ? [] : readMessages(value, role);
  });
  if (messages.length === 0) return null;
  return (
    <section class="messages" aria-label="Messages">
      {messages.slice(0, MOST).map(({ role, text }, at) => (
        <div key={at} class={`message ${/assistant|output/.test(role) ? 'answer' : ''}`}>
          <small>{role}</small>
          <pre>{text}</pre>
        </div>
      ))}
      {messages.length > MOST && <p class="hint">and {messages.length - MOST} more, in the attributes</p>}
    </section>
  );
}

function readMessages(value: WireValue, role: string): Message[] {
  const parsed = typeof value === 'string' ? parseJson(value) : value;
  const list = Array.isArray(parsed) ? (parsed as readonly WireValue[]) : [parsed];
  return list.map((entry) => {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return { role, text: textOf(entry) };
    const message = entry as WireAttributes;
    const said = message['role'];
    return { role: typeof said === 'string' ? said : role, text: partsOf(message) };
  });
}

function partsOf(message: WireAttributes): string {
  const { parts, content } = message as { readonly parts?: WireValue; readonly content?: WireValue };
  if (!Array.isArray(parts)) return content === undefined ? JSON.stringify(message, undefined, 2) : textOf(content);
  return (parts as readonly WireValue[])
    .map((part) => {
      const inner = (part as { readonly content?: WireValue } | null)?.content;
      return inner === undefined ? JSON.stringify(part) : textOf(inner);
    })
    .join('\n');
}

function parseJson(text: string): WireValue {
  try {
    return JSON.parse(text) as WireValue;
  } catch {
    return text;
  }
}
