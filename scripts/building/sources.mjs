// The sources of native/ and their compiler flags, for every script that builds them.
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const nativeFolder = fileURLToPath(new URL('../../native/', import.meta.url))
export const buildFolder = join(nativeFolder, 'build')
const coreFolders = ['core', 'kernels', 'formulas']
export const wasmFolders = [...coreFolders, 'wasm']
const nativeCoreFolders = [...coreFolders, 'kernels/amx']
export const addonFolders = [...nativeCoreFolders, 'cuda/kernel', 'cuda/host', 'addon']
export const testFolders = [...nativeCoreFolders, 'reference', 'tests']

// The sources that are compiled for certain instruction sets, once for each row that has the target's architecture. Every
// other source is compiled once.
const avx512Flags = ['-mfma', ...['f', 'dq', 'bw', 'vl'].map((set) => `-mavx512${set}`)]
const variantsBySource = {
  'kernels/kernels.cc': [
    { architecture: 'x64', suffix: 'baseline', flags: ['-DEIGENAE_KERNELS=baselineKernels'] },
    { architecture: 'x64', suffix: 'avx2', flags: ['-DEIGENAE_KERNELS=avx2Kernels', '-mavx2', '-mfma'] },
    { architecture: 'x64', suffix: 'avx512', flags: ['-DEIGENAE_KERNELS=avx512Kernels', ...avx512Flags] },
    { architecture: 'arm64', suffix: 'baseline', flags: ['-DEIGENAE_KERNELS=baselineKernels'] },
  ],
  // The same bits as WebAssembly.
  ...Object.fromEntries(
    ['layer_measures', 'linear_probe', 'singular_values'].map((name) => [
      `core/${name}.cc`,
      ['x64', 'arm64'].map((architecture) => ({ architecture, suffix: '', flags: ['-ffp-contract=off'] })),
    ]),
  ),
  'kernels/amx/kernels.cc': [
    { architecture: 'x64', suffix: 'amx', flags: [...avx512Flags, '-mamx-tile', '-mamx-bf16'] },
  ],
}

// Without -ffast-math a sum keeps its order, so that the result is the same with any number of threads.
export const commonFlags = [
  '-std=c++17',
  '-pthread',
  '-fvisibility=hidden',
  '-ffp-contract=fast',
  '-Wall',
  '-Wextra',
]
export const optimizedFlags = ['-O3', '-fno-math-errno', '-DNDEBUG']

/** Returns the flags that only the sources of a folder need, so that the targets share the objects of all others. */
function flagsOfFolder(folder, testFlags) {
  if (folder === 'tests') return ['-O0', ...testFlags] // they take longer to compile than to run
  if (folder !== 'addon') return []
  const { include_dir } = createRequire(import.meta.url)('node-api-headers')
  return ['-DNAPI_VERSION=8', `-I${include_dir}`]
}

/** Returns the files in these folders of native/ that have one of the extensions, as paths relative to native/. */
export function filesIn(folders, ...extensions) {
  return folders.flatMap((folder) =>
    readdirSync(join(nativeFolder, folder))
      .filter((name) => extensions.some((extension) => name.endsWith(extension)))
      .sort()
      .map((name) => `${folder}/${name}`),
  )
}

/** Returns the objects that a target consists of: { source, suffix, flags }. */
export function compileUnits({ folders, architecture, testFlags = [] }) {
  return filesIn(folders, '.cc').flatMap((source) => {
    const variants = variantsBySource[source] ?? [{ architecture, suffix: '', flags: [] }]
    return variants
      .filter((variant) => variant.architecture === architecture)
      .map(({ suffix, flags }) => ({
        ...{ source, suffix },
        flags: [...flags, ...flagsOfFolder(source.split('/')[0], testFlags)],
      }))
  })
}
