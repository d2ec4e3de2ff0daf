/** The parts of package-lock.json that are read here. */
export interface Lockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[] | undefined;
  readonly cpu?: readonly string[] | undefined;
  readonly libc?: readonly string[] | undefined;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** An optional package that a locked one asks for and that the lockfile does not have. */
interface UnlockedPackage {
  readonly name: string;
  readonly version: string;
  readonly dev: boolean;
  readonly os: string[] | undefined;
  readonly cpu: string[] | undefined;
  readonly libc: string[] | undefined;
}

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];
const C_LIBRARIES: Readonly<Record<string, string>> = {
  gnu: 'glibc',
  gnueabihf: 'glibc',
  musl: 'musl',
  musleabihf: 'musl',
};

/** What `npm ci` would miss, with the platform read off the package's name (`@scope/cli-linux-x64-musl`). */
export function findUnlocked(lockfile: Lockfile): UnlockedPackage[] {
  const found = new Map<string, UnlockedPackage>();
  for (const [location, { optionalDependencies = {}, dev = false }] of Object.entries(lockfile.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (isLocked(lockfile, location, name)) continue;
      const words = name.split(/[/-]/);
      const pick = (known: readonly string[]) => {
        const matches = words.filter((word) => known.includes(word));
        return matches.length > 0 ? matches : undefined;
      };
      const libc = words.includes('linux') ? words.flatMap((word) => C_LIBRARIES[word] ?? []) : [];
      found.set(name, {
        name,
        version,
        dev,
        os: pick(SYSTEMS),
        cpu: words.includes('wasm32') ? ['wasm32'] : pick(PROCESSORS),
        libc: libc.length > 0 ? libc : undefined,
      });
    }
  }
  return [...found.values()];
}

function isLocked({ packages }: Lockfile, location: string, name: string): boolean {
  for (let folder = location; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
    if (`${folder === '' ? '' : `${folder}/`}node_modules/${name}` in packages) return true;
    if (folder === '') return false;
  }
}
