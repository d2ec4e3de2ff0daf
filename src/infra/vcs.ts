import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Attributes } from '@opentelemetry/api';
import { processVariables } from './environment.ts';

/** How the repository is asked. */
export interface VcsOptions {
  /** Where to look for a repository. Default: the working directory. */
  readonly cwd?: string | undefined;
  /** How long `git` may take in all, in milliseconds. 1 to 60,000. Default: 2,000. */
  readonly timeoutMillis?: number | undefined;
}

/** Runs `git` with these arguments and answers what it prints; rejects when it cannot. */
export type RunGit = (args: readonly string[], cwd: string | undefined, timeoutMillis: number) => Promise<string>;

type Variables = Readonly<Record<string, string | undefined>>;

/** What a build system says about the code that it builds. */
interface CheckoutVariables {
  readonly revision: readonly string[];
  /** The first that is set; a pull request's own branch comes before the one that it is merged into. */
  readonly branch: readonly string[];
  readonly tag?: readonly string[];
  readonly url: (env: Variables) => string | undefined;
}

const execGit = promisify(execFile);

const DEFAULT_TIMEOUT_MILLIS = 2_000;
const MAX_TIMEOUT_MILLIS = 60_000;
const MAX_TEXT_LENGTH = 1_024;
const MAX_OUTPUT_BYTES = 65_536;

const variable =
  (...names: readonly string[]) =>
  (env: Variables): string | undefined =>
    firstOf(env, names);

const BUILD_SYSTEMS: readonly CheckoutVariables[] = [
  {
    revision: ['GITHUB_SHA'],
    branch: ['GITHUB_HEAD_REF', 'GITHUB_REF_NAME'],
    url: ({ GITHUB_SERVER_URL: server = 'https://github.com', GITHUB_REPOSITORY: repository }) =>
      repository && `${server}/${repository}`,
  },
  {
    revision: ['CI_COMMIT_SHA'],
    branch: ['CI_COMMIT_BRANCH', 'CI_MERGE_REQUEST_SOURCE_BRANCH_NAME'],
    tag: ['CI_COMMIT_TAG'],
    url: variable('CI_PROJECT_URL'),
  },
  {
    revision: ['BITBUCKET_COMMIT'],
    branch: ['BITBUCKET_BRANCH'],
    tag: ['BITBUCKET_TAG'],
    url: variable('BITBUCKET_GIT_HTTP_ORIGIN'),
  },
  {
    revision: ['CIRCLE_SHA1'],
    branch: ['CIRCLE_BRANCH'],
    tag: ['CIRCLE_TAG'],
    url: variable('CIRCLE_REPOSITORY_URL'),
  },
  {
    revision: ['BUILDKITE_COMMIT'],
    branch: ['BUILDKITE_BRANCH'],
    tag: ['BUILDKITE_TAG'],
    url: variable('BUILDKITE_REPO'),
  },
  {
    revision: ['BUILD_SOURCEVERSION'],
    branch: ['SYSTEM_PULLREQUEST_SOURCEBRANCH', 'BUILD_SOURCEBRANCH'],
    url: variable('BUILD_REPOSITORY_URI'),
  },
  {
    revision: ['VERCEL_GIT_COMMIT_SHA'],
    branch: ['VERCEL_GIT_COMMIT_REF'],
    url: ({ VERCEL_GIT_REPO_OWNER: owner, VERCEL_GIT_REPO_SLUG: slug, VERCEL_GIT_PROVIDER: provider }) =>
      owner && slug && provider && `https://${provider}.${provider === 'bitbucket' ? 'org' : 'com'}/${owner}/${slug}`,
  },
  {
    revision: ['TRAVIS_COMMIT'],
    branch: ['TRAVIS_PULL_REQUEST_BRANCH', 'TRAVIS_BRANCH'],
    tag: ['TRAVIS_TAG'],
    url: () => undefined,
  },
  { revision: ['RENDER_GIT_COMMIT'], branch: ['RENDER_GIT_BRANCH'], url: () => undefined },
  { revision: ['COMMIT_REF'], branch: ['HEAD', 'BRANCH'], url: variable('REPOSITORY_URL') },
  {
    revision: ['GIT_COMMIT'],
    branch: ['CHANGE_BRANCH', 'GIT_BRANCH', 'BRANCH_NAME'],
    tag: ['TAG_NAME'],
    url: variable('GIT_URL'),
  },
  { revision: ['HEROKU_SLUG_COMMIT', 'HEROKU_BUILD_COMMIT', 'SOURCE_VERSION'], branch: [], url: () => undefined },
];

const REVISION = /^(?:[\da-f]{40}|[\da-f]{64})$/i;

/**
 * The commit, branch and repository of the running code as resource attributes (`vcs.*` of the semantic conventions),
 * for the option `attributes`. The variables of build systems and hosts tell first; what they leave open `git` is asked,
 * in a child process. What cannot be found out is left out; credentials in the repository's URL always are. Never
 * rejects, and takes no longer than its time.
 */
export async function detectVcs(options: VcsOptions = {}): Promise<Attributes> {
  try {
    return await readVcs(options, processVariables(), runGit);
  } catch {
    return {};
  }
}

/** {@link detectVcs} over variables and a `git` that are passed in. */
export async function readVcs(options: VcsOptions, env: Variables, git: RunGit): Promise<Attributes> {
  const { cwd, timeoutMillis: given } = options ?? {};
  const isGood = typeof given === 'number' && given >= 1 && given <= MAX_TIMEOUT_MILLIS;
  const timeoutMillis = isGood ? given : DEFAULT_TIMEOUT_MILLIS;
  const known = readBuildSystem(env);
  const ask = async (isKnown: boolean, ...args: readonly string[]): Promise<string | undefined> => {
    if (isKnown) return undefined;
    try {
      return cleanText((await git(args, typeof cwd === 'string' ? cwd : undefined, timeoutMillis)).split('\n', 1)[0]);
    } catch {
      return undefined;
    }
  };
  const [revision = known.revision, branch, url = known.url] = await Promise.all([
    ask(known.revision !== undefined, 'rev-parse', 'HEAD'),
    ask(known.name !== undefined, 'symbolic-ref', '--short', '-q', 'HEAD'),
    ask(known.url !== undefined, 'config', '--get', 'remote.origin.url'),
  ]);
  const repository = url === undefined ? undefined : repositoryUrl(url);
  const name = known.name ?? branch;
  return {
    ...(revision !== undefined && REVISION.test(revision) && { 'vcs.ref.head.revision': revision.toLowerCase() }),
    ...(name !== undefined && { 'vcs.ref.head.name': name, 'vcs.ref.head.type': known.isTag ? 'tag' : 'branch' }),
    ...(repository !== undefined && {
      'vcs.repository.url.full': repository.url,
      'vcs.repository.name': repository.name,
    }),
  };
}

interface Checkout {
  readonly revision?: string | undefined;
  readonly name?: string | undefined;
  readonly isTag: boolean;
  readonly url?: string | undefined;
}

function readBuildSystem(env: Variables): Checkout {
  const system = BUILD_SYSTEMS.find(({ revision }) => REVISION.test(firstOf(env, revision) ?? ''));
  if (system === undefined) return { isTag: false };
  const tag = firstOf(env, system.tag ?? []);
  const isGithubTag = system === BUILD_SYSTEMS[0] && env['GITHUB_REF_TYPE'] === 'tag';
  const branch = firstOf(env, system.branch)?.replace(/^(?:refs\/heads\/|origin\/)/, '');
  const isTag = isGithubTag || (branch === undefined && tag !== undefined);
  return { revision: firstOf(env, system.revision), name: branch ?? tag, isTag, url: cleanText(system.url(env)) };
}

/** The address of a repository without credentials and `.git`, as `https:` where it was `git@host:path`. */
function repositoryUrl(given: string): { readonly url: string; readonly name: string } | undefined {
  const scp = /^(?:[\w.-]+@)?([\w.-]+):(?!\/\/)([^\s]+)$/.exec(given);
  try {
    const url = new URL(scp === null ? given : `https://${scp[1]}/${scp[2]}`);
    if (url.protocol === 'file:' || url.host === '') return undefined;
    if (url.protocol === 'ssh:' || url.protocol === 'git:')
      return repositoryUrl(`https://${url.hostname}${url.pathname}`);
    const path = url.pathname.replace(/\/+$/, '').replace(/\.git$/, '');
    const name = path.slice(path.lastIndexOf('/') + 1);
    return name === '' ? undefined : { url: `${url.protocol}//${url.host}${path}`, name };
  } catch {
    return undefined;
  }
}

function firstOf(env: Variables, names: readonly string[]): string | undefined {
  for (const name of names) {
    const text = cleanText(env[name]);
    if (text !== undefined) return text;
  }
  return undefined;
}

function cleanText(text: string | undefined): string | undefined {
  const clean = text?.trim();
  return clean === undefined || clean === '' || clean.length > MAX_TEXT_LENGTH ? undefined : clean;
}

const runGit: RunGit = async (args, cwd, timeoutMillis) => {
  // Only looks at what is there: no lock is taken, and no terminal is asked for anything.
  const options = { cwd, timeout: timeoutMillis, maxBuffer: MAX_OUTPUT_BYTES, windowsHide: true } as const;
  const running = execGit('git', ['--no-optional-locks', ...args], { ...options, killSignal: 'SIGKILL' });
  running.child.stdin?.end();
  return (await running).stdout;
};
