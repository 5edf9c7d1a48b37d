import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { EigenaeError, type ErrorParts } from '../../errors.js'
import { writeDurably } from '../../files/write.js'
import { packageRoot } from '../../package-root.js'
import { requireTrusted } from '../../setup/installation.js'
import { cudaFolder, findNvrtc, type Nvrtc, nvrtcSoftware } from '../../setup/nvrtc.js'
import { encodeSpec } from '../core.js'
import { loadNativeBinding } from '../native/binding.js'
import { typicalNetwork } from '../self-check.js'
import type { CudaBinding, SourceFile } from './binding.js'
import { withCudaErrors } from './errors.js'

// A kernel is compiled for the widths of one network. The PTX of the default networks comes with the package; that of any
// other network is compiled with NVRTC when it is first needed, and kept.

const sourceFolder = join(packageRoot, 'native', 'cuda', 'kernel')
const shippedFolder = join(packageRoot, 'native', 'cuda', 'ptx')
const mainSource = 'core.cu'
/** Headers that the kernel shares with the other cores, as its sources include them. */
const sharedHeaders = ['../../formulas/execute.h', '../../kernels/elementwise.h']

/**
 * Returns the kernel that the options select as PTX, which the driver compiles for its card, and where it is from.
 * @throws EigenaeError if it must be compiled and there is no compiler.
 */
export async function kernelPtx(binding: CudaBinding, options: readonly string[]) {
  const key = kernelKey(options)
  const shipped = await readShipped(key)
  if (shipped !== null) return { ptx: shipped, origin: 'comes with the package' }
  const kept = await readKept(key)
  if (kept !== null) return { ptx: kept, origin: 'compiled here' }
  const ptx = await compileKernel(binding, findNvrtc(), options)
  // A kernel that cannot be kept, for example on a full disk, is compiled again next time.
  await mkdir(keptFolder(), { recursive: true, mode: 0o755 })
    .then(() => writeDurably(keptFile(key), ptx))
    .catch(() => undefined)
  return { ptx, origin: 'compiled here' }
}

/** Returns why the kernel of these options cannot be had: it must be compiled, and there is no compiler. */
export async function missingCompiler(options: readonly string[]): Promise<ErrorParts | null> {
  const key = kernelKey(options)
  if ((await readShipped(key)) !== null || (await readKept(key)) !== null) return null
  try {
    findNvrtc()
    return null
  } catch (error) {
    if (error instanceof EigenaeError) return error.parts
    throw error
  }
}

/** Compiles the kernel, whether or not it is at hand. */
export function compileKernel(
  binding: CudaBinding,
  { library }: Nvrtc,
  options: readonly string[],
): Promise<string> {
  const files = kernelSources()
  const source = files.find(({ name }) => name === mainSource)!
  const headers = files.filter(({ name }) => name.endsWith('.h'))
  return binding.compileKernel({ library, source, headers, options })
}

/** Shared memory of a block, and multiprocessors, of any card that the kernel is for. */
const anyCard = [64 * 1024, 4] as const

/** @throws EigenaeError if NVRTC does not compile the kernel of a small network. */
export async function checkCompiler(nvrtc: Nvrtc): Promise<void> {
  const { cuda } = loadNativeBinding().binding
  const small = { ...typicalNetwork, widths: [16, 8, 4], batchSize: 8 }
  const plan = cuda.planKernel(encodeSpec(small), ...anyCard)
  if (plan.refusal !== null) throw new Error(plan.refusal)
  await withCudaErrors(() => compileKernel(cuda, nvrtc, plan.options))
}

/** Returns the kernel's source files. A name is the path as the includes have it. */
function kernelSources(): readonly SourceFile[] {
  const own = readdirSync(sourceFolder).filter((name) => /\.(cu|h)$/.test(name))
  return [...own, ...sharedHeaders]
    .sort()
    .map((name) => ({ name, text: readFileSync(join(sourceFolder, name), 'utf8') }))
}

/** Returns the name of the kernel that these options make of the sources: another source has another name. */
export function kernelKey(options: readonly string[]): string {
  const hash = createHash('sha256').update(options.join('\n'))
  for (const { name, text } of kernelSources()) hash.update(`\0${name}\0${text}`)
  return hash.digest('hex').slice(0, 32)
}

/** Returns what the numbers depend on: the sources, but neither the card nor the division of a model among thread blocks. */
export function kernelVariant(): string {
  return `compute_70-${kernelKey([]).slice(0, 8)}`
}

async function readShipped(key: string): Promise<string | null> {
  const compressed = await readFile(join(shippedFolder, `${key}.ptx.gz`)).catch(() => null)
  return compressed && (await promisify(gunzip)(compressed)).toString()
}

/** @throws EigenaeError if another user could have written the kernel. */
async function readKept(key: string): Promise<string | null> {
  const file = keptFile(key)
  requireTrusted(nvrtcSoftware, [cudaFolder(), keptFolder(), file])
  return readFile(file, 'utf8').catch(() => null)
}

function keptFolder(): string {
  return join(cudaFolder(), 'kernels')
}

function keptFile(key: string): string {
  return join(keptFolder(), `${key}.ptx`)
}
