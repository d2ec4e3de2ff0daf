import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { installNode, installPackages } from './peers/install-packages.ts';
import { folderOf, OWN_PEERS, PEER_NAMES, type PeerName, runsOn } from './peers/peer.ts';
import { QUESTIONS } from './support/questions.ts';
import { formatAnswer } from './support/report.ts';
import { type Answer, ask } from './support/rounds.ts';

const USAGE = `npm run bench -- [question …] [options]

Questions (all, when none is named): ${Object.keys(QUESTIONS).join(', ')}

  --short            one round of a few seconds, to see that everything works
  --peers <names>    with commas between them, or "all": whom to ask, beside stock and isotrace: ${PEER_NAMES.join(', ')}
  --node 24          measures on that version of Node instead of the one that runs
  --rounds <number>  rounds of each question, instead of its own number
  --only <text>      only variants whose name contains the text
  --json             the answers as JSON
  --cpu-prof <dir>   leave a CPU profile of each measurement in the directory
`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    peers: { type: 'string', default: '' },
    node: { type: 'string' },
    rounds: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    'cpu-prof': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const others = values.peers.split(',').filter((name) => name !== '' && name !== 'all');
const unknown = [
  ...positionals.filter((name) => !Object.hasOwn(QUESTIONS, name)).map((name) => `There is no question ${name}.\n`),
  ...others.filter((name) => !PEER_NAMES.includes(name as PeerName)).map((name) => `There is no peer ${name}.\n`),
];
if (values.help || unknown.length > 0) {
  process.stderr.write(`${unknown.join('')}${USAGE}`);
  process.exit(values.help ? 0 : 2);
}

const progress = (line: string): void => void process.stderr.write(`${line}\n`);
const execPath = values.node === undefined ? process.execPath : await installNode(values.node, progress);
const node = execFileSync(execPath, ['--version'], { encoding: 'utf8' }).trim();
const peers = PEER_NAMES.filter((peer) => {
  const wanted = OWN_PEERS.includes(peer) || others.includes(peer) || values.peers === 'all';
  if (wanted && !runsOn(peer, node)) progress(`${peer} does not run on Node ${node}: it is left out`);
  return wanted && runsOn(peer, node);
});
for (const peer of peers) {
  const folder = folderOf(peer);
  if (folder !== undefined) await installPackages(folder, progress);
}

const machine = { node, cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism() };
if (!values.json) process.stdout.write(`Node ${machine.node}, ${machine.cores} × ${machine.cpu}\n\n`);

const answers: Answer[] = [];
for (const [name, load] of Object.entries(QUESTIONS)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const question = await load();
  const answer = await ask(question, {
    rounds: Number(values.rounds) || (values.short ? 1 : question.rounds),
    short: values.short,
    ...{ peers, execPath, progress },
    only: values.only,
    profileDirectory: values['cpu-prof'],
  });
  answers.push(answer);
  if (!values.json) process.stdout.write(`${formatAnswer(answer)}\n`);
}
if (values.json) process.stdout.write(`${JSON.stringify({ machine, short: values.short, answers }, undefined, 2)}\n`);
