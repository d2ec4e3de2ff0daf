import type { Readable, Writable } from 'node:stream';
import { type CliHost, CommandError, EXIT } from '../cli-host.ts';
import {
  DESTINATIONS,
  DIRECTORY_ACCEPTED,
  defaultTenantSource,
  FRAMEWORKS,
  type GivenAnswers,
  type InitAnswers,
  normalizeDirectory,
  SERVICE_NAME,
  TENANT_SOURCES,
} from './answers.ts';
import type { Project } from './project.ts';

/** Answers each question in turn: what was given, or `fallback`. */
interface Asking {
  select<T extends string>(message: string, choices: Readonly<Record<T, string>>, fallback: T): Promise<T>;
  text(message: string, fallback: string, problemOf: (value: string) => string | undefined): Promise<string>;
}

/** Takes the defaults for what is missing. */
const SILENT: Asking = {
  select: async (_message, _choices, fallback) => fallback,
  text: async (_message, fallback) => fallback,
};

/** The answers that are given, and those that the user or, if nobody is to be asked, the project has for the others. */
export async function completeAnswers(
  given: GivenAnswers,
  project: Project,
  host: CliHost,
  isInteractive: boolean,
): Promise<InitAnswers> {
  const asking = isInteractive ? await openPrompts(host) : SILENT;
  const framework =
    given.framework ?? (await asking.select('What serves your requests?', FRAMEWORKS, project.framework ?? 'http'));
  if (framework === 'none' && given.tenant !== undefined && given.tenant !== 'function') {
    throw new CommandError(`without a framework there is no request, and no tenant by ${given.tenant}`, EXIT.usage);
  }
  const destination = given.destination ?? (await asking.select('Where does telemetry go?', DESTINATIONS, 'dashboard'));
  const source = defaultTenantSource(framework, destination);
  const tenant =
    given.tenant ??
    (framework === 'none'
      ? source
      : await asking.select('What names the tenant of a request?', TENANT_SOURCES, source));
  const service =
    given.service ??
    (await asking.text('What is the service called?', project.service, (value) =>
      SERVICE_NAME.test(value) ? undefined : '1 to 255 printable characters',
    ));
  const directory =
    given.directory ??
    (await asking.text('Where do the files go?', project.directory, (value) =>
      normalizeDirectory(value) === undefined ? DIRECTORY_ACCEPTED : undefined,
    ));
  return { framework, destination, tenant, service, directory };
}

/** Questions in the terminal. Their library is loaded here and nowhere else. */
async function openPrompts({ stdin, terminal, signal }: CliHost): Promise<Asking> {
  const prompts = await import('@clack/prompts');
  const common = { input: stdin as Readable, output: terminal.screen as Writable, signal };
  const answered = <T>(value: T): Exclude<T, symbol> => {
    if (typeof value === 'symbol') throw new CommandError('stopped; nothing was written');
    return value as Exclude<T, symbol>;
  };
  return {
    select: async <T extends string>(message: string, choices: Readonly<Record<T, string>>, fallback: T) => {
      const options = Object.entries<string>(choices).map(([value, label]) => ({ value, label }));
      return answered(await prompts.select<string>({ ...common, message, options, initialValue: fallback })) as T;
    },
    text: async (message, fallback, problemOf) =>
      answered(
        await prompts.text({
          ...common,
          message,
          placeholder: fallback,
          defaultValue: fallback,
          validate: (value) => problemOf(value === undefined || value === '' ? fallback : value),
        }),
      ),
  };
}
