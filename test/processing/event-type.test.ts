import { describe, expect, it } from 'vitest';
import { inferEventType } from '../../src/index.ts';

describe('inferEventType', () => {
  it.each([
    ['chat', 'model'],
    ['text_completion', 'model'],
    ['generate_content', 'model'],
    ['embeddings', 'model'],
    ['execute_tool', 'tool'],
    ['retrieval', 'tool'],
    ['search_memory', 'tool'],
    ['invoke_agent', 'chain'],
    ['create_agent', 'chain'],
    ['invoke_workflow', 'chain'],
    ['plan', 'chain'],
    ['something_else', undefined],
  ])('knows the operation %s', (operation, type) => {
    expect(inferEventType({ 'gen_ai.operation.name': operation })).toBe(type);
  });

  it.each([
    ['LLM', 'model'],
    ['llm', 'model'],
    ['EMBEDDING', 'model'],
    ['TOOL', 'tool'],
    ['RETRIEVER', 'tool'],
    ['RERANKER', 'tool'],
    ['GUARDRAIL', 'tool'],
    ['CHAIN', 'chain'],
    ['AGENT', 'chain'],
    ['UNKNOWN', undefined],
  ])('knows the OpenInference kind %s', (kind, type) => {
    expect(inferEventType({ 'openinference.span.kind': kind })).toBe(type);
  });

  it('goes by what was set before what it infers, and by GenAI before OpenInference', () => {
    const both = { 'gen_ai.operation.name': 'chat', 'openinference.span.kind': 'TOOL' };
    expect(inferEventType(both)).toBe('model');
    expect(inferEventType({ ...both, 'isotrace.event.type': 'my own' })).toBe('my own');
  });

  it.each([
    ['openai.chat', 'model'],
    ['call_tool', 'tool'],
    ['MyAgent run', undefined],
    ['agent run', 'chain'],
    ['search documents', 'tool'],
    ['GET /chatter', undefined],
  ])('guesses by the name %s only where asked', (name, type) => {
    expect(inferEventType({}, name)).toBeUndefined();
    expect(inferEventType({}, name, { names: true })).toBe(type);
    expect(inferEventType({ 'gen_ai.operation.name': 'plan' }, name, { names: true })).toBe('chain');
  });
});
