import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { detectVcs, type RunGit, readVcs } from '../../src/infra/vcs.ts';
import { hostileValues } from '../support/hostile-values.ts';

const REVISION = '0123456789abcdef0123456789abcdef01234567';
const noGit: RunGit = () => Promise.reject(new Error('there is no git'));
const gitWith =
  (answers: Readonly<Record<string, string>>): RunGit =>
  async ([command]) => {
    const answer = answers[command ?? ''];
    if (answer === undefined) throw new Error('unknown');
    return `${answer}\n`;
  };
const found = (name: string, url?: string, type = 'branch') => ({
  'vcs.ref.head.revision': REVISION,
  'vcs.ref.head.name': name,
  'vcs.ref.head.type': type,
  ...(url !== undefined && { 'vcs.repository.url.full': url, 'vcs.repository.name': 'shop' }),
});

describe('readVcs', () => {
  it.each<[string, Record<string, string>, object]>([
    [
      'GitHub',
      { GITHUB_SHA: REVISION, GITHUB_REF_NAME: 'main', GITHUB_REPOSITORY: 'acme/shop' },
      found('main', 'https://github.com/acme/shop'),
    ],
    [
      'a pull request on a server of GitHub',
      {
        GITHUB_SHA: REVISION,
        GITHUB_HEAD_REF: 'topic',
        GITHUB_REF_NAME: '7/merge',
        GITHUB_SERVER_URL: 'https://git.acme.dev',
        GITHUB_REPOSITORY: 'acme/shop',
      },
      found('topic', 'https://git.acme.dev/acme/shop'),
    ],
    [
      'a tag on GitHub',
      { GITHUB_SHA: REVISION, GITHUB_REF_NAME: 'v1', GITHUB_REF_TYPE: 'tag' },
      found('v1', undefined, 'tag'),
    ],
    [
      'GitLab',
      { CI_COMMIT_SHA: REVISION, CI_COMMIT_BRANCH: 'main', CI_PROJECT_URL: 'https://gitlab.com/acme/shop' },
      found('main', 'https://gitlab.com/acme/shop'),
    ],
    [
      'a tag on GitLab',
      { CI_COMMIT_SHA: REVISION, CI_COMMIT_TAG: 'v1', CI_PROJECT_URL: 'https://gitlab.com/acme/shop' },
      found('v1', 'https://gitlab.com/acme/shop', 'tag'),
    ],
    [
      'Azure',
      {
        BUILD_SOURCEVERSION: REVISION.toUpperCase(),
        BUILD_SOURCEBRANCH: 'refs/heads/release/1',
        BUILD_REPOSITORY_URI: 'https://user:token@dev.azure.com/acme/shop',
      },
      found('release/1', 'https://dev.azure.com/acme/shop'),
    ],
    [
      'Vercel',
      {
        VERCEL_GIT_COMMIT_SHA: REVISION,
        VERCEL_GIT_COMMIT_REF: 'main',
        VERCEL_GIT_PROVIDER: 'github',
        VERCEL_GIT_REPO_OWNER: 'acme',
        VERCEL_GIT_REPO_SLUG: 'shop',
      },
      found('main', 'https://github.com/acme/shop'),
    ],
    [
      'Jenkins',
      { GIT_COMMIT: REVISION, GIT_BRANCH: 'origin/main', GIT_URL: 'git@github.com:acme/shop.git' },
      found('main', 'https://github.com/acme/shop'),
    ],
    ['Heroku', { HEROKU_SLUG_COMMIT: REVISION }, { 'vcs.ref.head.revision': REVISION }],
    ['nothing', { GITHUB_SHA: 'not a revision' }, {}],
  ])('reads the variables of %s', async (_, env, expected) => {
    expect(await readVcs({}, env, noGit)).toEqual(expected);
  });

  it('asks git for what the variables leave open, and for nothing else', async () => {
    const asked: string[] = [];
    const git: RunGit = async (args) => {
      asked.push(args.join(' '));
      return gitWith({ config: 'https://github.com/acme/shop.git' })(args, undefined, 1);
    };
    const env = { CIRCLE_SHA1: REVISION, CIRCLE_BRANCH: 'main' };

    expect(await readVcs({}, env, git)).toEqual(found('main', 'https://github.com/acme/shop'));
    expect(asked).toEqual(['config --get remote.origin.url']);
  });

  it.each([
    ['https://user:secret@host.dev/acme/shop.git', 'https://host.dev/acme/shop'],
    ['git@host.dev:acme/shop.git', 'https://host.dev/acme/shop'],
    ['host.dev:acme/shop', 'https://host.dev/acme/shop'],
    ['ssh://git@host.dev:2222/acme/shop.git', 'https://host.dev/acme/shop'],
    ['https://host.dev/acme/shop?token=secret#secret', 'https://host.dev/acme/shop'],
  ])('shows the repository %s without credentials', async (config, url) => {
    const git = gitWith({ 'rev-parse': REVISION, 'symbolic-ref': 'topic', config });
    expect(await readVcs({}, {}, git)).toEqual(found('topic', url));
  });

  it.each(['/srv/git/shop.git', 'file:///srv/git/shop', 'https://host.dev/', '..', 'x'.repeat(2_000)])(
    'does not show %s',
    async (config) => {
      const git = gitWith({ 'rev-parse': REVISION, 'symbolic-ref': 'topic', config });
      expect(await readVcs({}, {}, git)).toEqual(found('topic'));
    },
  );

  it('stands any options', async () => {
    for (const { value } of hostileValues()) {
      for (const options of [value, { cwd: value, timeoutMillis: value }]) {
        await readVcs(options as never, {}, noGit).catch(() => undefined);
      }
    }
  });

  it('tells git where to look and how long, within bounds', async () => {
    const seen: unknown[] = [];
    const git: RunGit = async (_, cwd, timeoutMillis) => {
      seen.push([cwd, timeoutMillis]);
      return '';
    };
    await readVcs({ cwd: '/srv', timeoutMillis: 50 }, {}, git);
    await readVcs({ timeoutMillis: 1e9 }, {}, git);

    expect(new Set(seen.map((call) => JSON.stringify(call)))).toEqual(new Set(['["/srv",50]', '[null,2000]']));
  });
});

describe('detectVcs', () => {
  it('reads a real repository, and nothing where there is none', async () => {
    const cwd = mkdtempSync(path.join(tmpdir(), 'isotrace-vcs-'));
    onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
    const git = (...args: readonly string[]): string =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd, encoding: 'utf8' }).trim();
    git('init', '-q', '-b', 'topic');
    git('commit', '-q', '--allow-empty', '-m', 'first');
    git('remote', 'add', 'origin', 'git@host.dev:acme/shop.git');
    const variables = Object.keys(process.env).filter((name) => /^(GITHUB|CI_|GIT_|BUILD|COMMIT|SOURCE)/.test(name));

    if (variables.length === 0) {
      expect(await detectVcs({ cwd, timeoutMillis: 20_000 })).toEqual({
        'vcs.ref.head.revision': git('rev-parse', 'HEAD'),
        'vcs.ref.head.name': 'topic',
        'vcs.ref.head.type': 'branch',
        'vcs.repository.url.full': 'https://host.dev/acme/shop',
        'vcs.repository.name': 'shop',
      });
    }
    expect(await detectVcs({ cwd: path.join(cwd, 'missing') })).toEqual({});
    expect(await detectVcs(null as never)).toBeTypeOf('object');
  });
});
