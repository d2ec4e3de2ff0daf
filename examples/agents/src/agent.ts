import { agentCall, modelCall, toolCall } from 'isotrace';
import { complete, type Reply } from './model.ts';
import { registry } from './telemetry.ts';

const ask = registry.trace(
  modelCall({
    model: 'small-model',
    provider: 'example',
    usage: ({ tokens }: Reply) => ({ inputTokens: tokens.input, outputTokens: tokens.output }),
  }),
  complete,
);

const findOrder = registry.trace(toolCall('find_order'), async (id: string) => `number ${id} is on its way`);

/** Answers a question of the tenant that is calling. */
export const answer = registry.trace(agentCall('support'), async (question: string): Promise<string> => {
  const prompt = [question];
  for (let turn = 0; turn < 3; turn += 1) {
    const { text, tool } = await ask(prompt);
    if (text !== undefined) return text;
    if (tool !== undefined) prompt.push(await findOrder(tool.id));
  }
  return 'I do not know.';
});
