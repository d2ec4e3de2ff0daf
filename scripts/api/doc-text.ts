import type { FindSection } from './pages.ts';

const WIDTH = 110;

/** A doc comment as Markdown, a paragraph on a line. */
export function renderDoc(doc: string, find: FindSection): string {
  const [text = '', ...tags] = `\n${doc}`.split(/\n(?=@(?:param|returns|throws)\b)/);
  const blocks = text
    .trim()
    .split(/\n{2,}/)
    .map((block) => (block.startsWith('```') ? block : block.replaceAll(/\n(?!\s*[-*] )/g, ' ')));
  const described = tags.map((tag) => renderTag(tag.replaceAll(/\s+/g, ' ').trim()));
  if (described.length > 0) blocks.push(described.join('\n'));
  return escapeTags(withLinks(blocks.filter((block) => block !== '').join('\n\n'), find));
}

function renderTag(tag: string): string {
  const [, name = '', parameter = '', text = ''] = /^@(\w+)(?: (?:\[?(\w+)\]?(?: -)?(?= )))?(.*)$/.exec(tag) ?? [];
  if (name === 'param') return `- \`${parameter}\`: ${text.trim()}`;
  const rest = `${parameter}${text}`.trim();
  return name === 'throws'
    ? `- Throws ${rest.replace(/^IsotraceError\b/, '{@link IsotraceError}')}`
    : `- Answers ${rest}`;
}

function withLinks(text: string, find: FindSection): string {
  return text.replaceAll(/\{@link ([\w.]+)(?:\s*\|\s*|\s+)?([^}]*)\}/g, (_all, target: string, label: string) => {
    const [owner = ''] = target.split('.');
    const href = find(owner);
    const shown = `\`${label.trim() || target}\``;
    return href === undefined ? shown : `[${shown}](${href})`;
  });
}

/** `<` outside of code would begin a tag. */
function escapeTags(text: string): string {
  return text.replaceAll(/`[^`]*`|<(?=[\w/])/g, (found) => (found === '<' ? '\\<' : found));
}

/** A signature on one line, or with its parameters, or its alternatives, on lines of their own. */
export function renderSignature(signature: string): string {
  const text = signature.replace(/^(abstract )?readonly /, '$1');
  if (text.length <= WIDTH) return text;
  const open = indexOfParameters(text);
  if (open === -1) {
    const parts = splitTop(text, '|');
    return parts.length > 2 ? parts.map((part, index) => (index === 0 ? part : `  | ${part}`)).join('\n') : text;
  }
  const close = closing(text, open);
  const parameters = splitTop(text.slice(open + 1, close), ',');
  const lines = parameters.map((parameter) => `  ${parameter},`);
  return [`${text.slice(0, open)}(`, ...lines, `)${text.slice(close + 1)}`].join('\n');
}

const OPENING = '([{<';
const CLOSING = ')]}>';

/** The first parenthesis outside of type parameters, in what has a name before it; -1 for types. */
function indexOfParameters(text: string): number {
  if (/^(type|const) /.test(text)) return -1;
  let depth = 0;
  for (const [index, character] of [...text].entries()) {
    if (character === '(' && depth === 0) return index;
    if (OPENING.includes(character)) depth++;
    if (isClosing(text, index)) depth--;
  }
  return -1;
}

function closing(text: string, open: number): number {
  let depth = 0;
  for (let index = open; index < text.length; index++) {
    if (OPENING.includes(text[index] ?? '')) depth++;
    if (isClosing(text, index) && --depth === 0) return index;
  }
  return text.length;
}

/** The `>` of an arrow closes nothing. */
function isClosing(text: string, index: number): boolean {
  return CLOSING.includes(text[index] ?? '') && !(text[index] === '>' && text[index - 1] === '=');
}

function splitTop(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let index = 0; index < text.length; index++) {
    if (OPENING.includes(text[index] ?? '')) depth++;
    else if (isClosing(text, index)) depth--;
    else if (text[index] === separator && depth === 0) {
      parts.push(text.slice(from, index).trim());
      from = index + 1;
    }
  }
  return [...parts, text.slice(from).trim()].filter((part) => part !== '');
}
