import type { ScaffoldFile } from '../scaffold.ts';
import type { InitAnswers } from './answers.ts';
import { renderGuide, renderVariables } from './guide-template.ts';
import { middlewareModule, renderMiddleware } from './middleware-template.ts';
import { type Start, UNKNOWN_START } from './project.ts';
import { renderDirectory, renderRegistry } from './registry-template.ts';

/** What `isotrace init` writes for these answers, in a project that is started so. */
export function initFiles(answers: InitAnswers, start: Start = UNKNOWN_START): ScaffoldFile[] {
  const { directory, destination, framework } = answers;
  return [
    { path: `${directory}/registry.ts`, content: renderRegistry(answers) },
    ...(destination === 'directory' ? [{ path: `${directory}/directory.ts`, content: renderDirectory() }] : []),
    { path: `${directory}/${middlewareModule(framework).file}.ts`, content: renderMiddleware(answers) },
    { path: `${directory}/README.md`, content: renderGuide(answers, start) },
    { path: '.env.example', content: renderVariables(answers) },
  ];
}
