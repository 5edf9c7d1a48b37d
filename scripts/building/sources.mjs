// What native/ is made of, whatever builds it: its files, the flags, and who is compiled more than once.
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const nativeFolder = fileURLToPath(new URL('../../native/', import.meta.url))
export const buildFolder = join(nativeFolder, 'build')
export const coreFolders = ['core', 'kernels', 'eigen_losses']
export const addonFolders = [...coreFolders, 'addon']
export const testFolders = [...coreFolders, 'tests', 'tests/reference']

// A source that is compiled once for each instruction set has its rows here, as
// { architecture: 'x64', suffix: 'avx2', flags: ['-mavx2', '-mfma'] }; every other source is compiled once.
const avx512Flags = ['-mfma', ...['f', 'dq', 'bw', 'vl'].map((set) => `-mavx512${set}`)]
const variantsBySource = {
  'kernels.cc': [
    { architecture: 'x64', suffix: 'baseline', flags: ['-DEIGENAE_KERNELS=baselineKernels'] },
    { architecture: 'x64', suffix: 'avx2', flags: ['-DEIGENAE_KERNELS=avx2Kernels', '-mavx2', '-mfma'] },
    { architecture: 'x64', suffix: 'avx512', flags: ['-DEIGENAE_KERNELS=avx512Kernels', ...avx512Flags] },
    {
      architecture: 'x64',
      suffix: 'amx',
      flags: ['-DEIGENAE_KERNELS=amxKernels', ...avx512Flags, '-mamx-tile', '-mamx-bf16'],
    },
    { architecture: 'arm64', suffix: 'baseline', flags: ['-DEIGENAE_KERNELS=baselineKernels'] },
  ],
}

// No -ffast-math: a sum keeps its order, so that the same numbers come out at any number of threads.
export const commonFlags = [
  '-std=c++17',
  '-pthread',
  '-fvisibility=hidden',
  '-ffp-contract=fast',
  '-Wall',
  '-Wextra',
]
export const optimizedFlags = ['-O3', '-fno-math-errno', '-DNDEBUG']

export function addonFlags() {
  const { include_dir } = createRequire(import.meta.url)('node-api-headers')
  return [...optimizedFlags, '-DNAPI_VERSION=8', `-I${include_dir}`]
}

/** The files of these folders of native/ whose names end so, as paths from native/. */
export function filesIn(folders, ...extensions) {
  return folders.flatMap((folder) =>
    readdirSync(join(nativeFolder, folder))
      .filter((name) => extensions.some((extension) => name.endsWith(extension)))
      .sort()
      .map((name) => `${folder}/${name}`),
  )
}

/** Every object that a target needs: { source, suffix, flags }. */
export function compileUnits({ folders, architecture }) {
  return filesIn(folders, '.cc').flatMap((source) => {
    const variants = variantsBySource[basename(source)] ?? [{ architecture, suffix: '', flags: [] }]
    return variants
      .filter((variant) => variant.architecture === architecture)
      .map(({ suffix, flags }) => ({ source: join(nativeFolder, source), suffix, flags }))
  })
}
