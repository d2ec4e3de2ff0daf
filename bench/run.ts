import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { installPackages, nodeOf } from './peers/install-packages.ts';
import { folderOf, OWN_PEERS, PEER_NAMES, type PeerName, runsOn } from './peers/peer.ts';
import { BASELINE_FILE, compare, readBaseline, remeasure, writeBaseline } from './support/baseline.ts';
import { QUESTIONS } from './support/questions.ts';
import { formatAnswer, formatComparisons } from './support/report.ts';
import { type Answer, ask } from './support/rounds.ts';

const CHECK = 'check';
/** Of each figure of the baseline. */
const CHECK_ROUNDS = 3;

const USAGE = `npm run bench -- [question …] [options]
       npm run bench -- check [--write]

Questions (all, when none is named): ${Object.keys(QUESTIONS).join(', ')}

  --short            one round of a few seconds, to see that everything works
  --peers <names>    with commas between them, or "all": whom to ask, beside stock and isotrace: ${PEER_NAMES.join(', ')}
  --node 24          measures on that version of Node instead of the one that runs
  --rounds <number>  rounds of each question, instead of its own number
  --only <text>      only variants whose name contains the text
  --json             the answers as JSON
  --write            with "check": makes what is measured now the baseline
  --baseline <file>  with "check": another one than bench/baseline.json
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
    write: { type: 'boolean', default: false },
    baseline: { type: 'string', default: BASELINE_FILE },
    json: { type: 'boolean', default: false },
    'cpu-prof': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const others = values.peers.split(',').filter((name) => name !== '' && name !== 'all');
const unknown = [
  ...(positionals[0] === CHECK ? positionals.slice(1) : positionals)
    .filter((name) => !Object.hasOwn(QUESTIONS, name))
    .map((name) => `There is no question ${name}.\n`),
  ...others.filter((name) => !PEER_NAMES.includes(name as PeerName)).map((name) => `There is no peer ${name}.\n`),
];
if (values.help || unknown.length > 0) {
  process.stderr.write(`${unknown.join('')}${USAGE}`);
  process.exit(values.help ? 0 : 2);
}

const progress = (line: string): void => void process.stderr.write(`${line}\n`);
const execPath = values.node === undefined ? process.execPath : await nodeOf(values.node);
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

if (positionals[0] === CHECK) process.exit((await check()) ? 0 : 1);

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
    only: (variant) => variant.includes(values.only ?? ''),
    profileDirectory: values['cpu-prof'],
  });
  answers.push(answer);
  if (!values.json) process.stdout.write(`${formatAnswer(answer)}\n`);
}
if (values.json) process.stdout.write(`${JSON.stringify({ machine, short: values.short, answers }, undefined, 2)}\n`);

/** Whether no figure is much worse than the committed one. */
async function check(): Promise<boolean> {
  const rounds = Number(values.rounds) || CHECK_ROUNDS;
  const options = { rounds, short: true, peers: OWN_PEERS, execPath, progress, profileDirectory: undefined };
  const baseline = await readBaseline(values.baseline);
  if (values.write) {
    await writeBaseline(values.baseline, await remeasure(baseline, options));
    return true;
  }
  const comparisons = await compare(baseline, options);
  process.stdout.write(formatComparisons(comparisons));
  return comparisons.every(({ failed }) => !failed);
}
