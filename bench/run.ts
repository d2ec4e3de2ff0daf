import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { QUESTIONS } from './support/questions.ts';
import { formatAnswer } from './support/report.ts';
import { type Answer, ask } from './support/rounds.ts';

const USAGE = `npm run bench -- [question …] [options]

Questions (all, when none is named): ${Object.keys(QUESTIONS).join(', ')}

  --short            one round of a few seconds, to see that everything works
  --rounds <number>  rounds of each question, instead of its own number
  --only <text>      only variants whose name contains the text
  --json             the answers as JSON
  --cpu-prof <dir>   leave a CPU profile of each measurement in the directory
`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    'cpu-prof': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const unknown = positionals.filter((name) => !Object.hasOwn(QUESTIONS, name));
if (values.help || unknown.length > 0) {
  process.stderr.write(`${unknown.map((name) => `There is no question ${name}.\n`).join('')}${USAGE}`);
  process.exit(values.help ? 0 : 2);
}

const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism() };
if (!values.json) process.stdout.write(`Node ${machine.node}, ${machine.cores} × ${machine.cpu}\n\n`);

const answers: Answer[] = [];
for (const [name, load] of Object.entries(QUESTIONS)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const question = await load();
  const answer = await ask(question, {
    rounds: Number(values.rounds) || (values.short ? 1 : question.rounds),
    short: values.short,
    only: values.only,
    profileDirectory: values['cpu-prof'],
    progress: (line) => process.stderr.write(`${line}\n`),
  });
  answers.push(answer);
  if (!values.json) process.stdout.write(`${formatAnswer(answer)}\n`);
}
if (values.json) process.stdout.write(`${JSON.stringify({ machine, short: values.short, answers }, undefined, 2)}\n`);
