/** What a model answers: words, or the wish for a tool. In production the SDK of your provider. */
export interface Reply {
  readonly text?: string;
  readonly tool?: { readonly name: 'findOrder'; readonly id: string };
  readonly tokens: { readonly input: number; readonly output: number };
}

/** Wishes for the order that the question names, and answers when it knows what has become of it. */
export async function complete(prompt: readonly string[]): Promise<Reply> {
  const tokens = { input: prompt.join(' ').length, output: 12 };
  const id = /order (\d+)/.exec(prompt[0] ?? '')?.[1];
  if (id === undefined) return { text: 'Which order do you mean?', tokens };
  const [, found] = prompt;
  return found === undefined ? { tool: { name: 'findOrder', id }, tokens } : { text: `Your order: ${found}.`, tokens };
}
