import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const compiler = join(import.meta.dirname, '../../native/cuda/emulation/compile.mjs')

/** Returns why kernels cannot be emulated here; null if they can. */
export function missingEmulation(): string | null {
  const command = (process.env.CXX ?? 'g++').split(' ')[0]!
  if (process.platform === 'linux' && spawnSync(command, ['--version']).status === 0) return null
  return `the emulation of CUDA needs Linux and ${command} (Debian: apt-get install g++)`
}

/** Returns the path that compile.mjs prints, or throws an error with its message. */
export function compileEmulation(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr.trim())
  return stdout.trim()
}

export interface EmulatedLaunch {
  readonly file: string
  readonly kernel?: string
  readonly blocks?: number
  readonly threads?: number
  readonly sharedBytes?: number
  readonly order?: 'ascending' | 'descending'
}

/** Writes PTX 8.0 with the given body into a file. The body's kernel may use the registers of every type, 0 to 9. */
export function writePtx(file: string, body: string): void {
  const types = { p: 'pred', h: 'b16', r: 'b32', d: 'b64', f: 'f32', g: 'f64' }
  const registers = Object.entries(types).map(([name, type]) => `.reg .${type} %${name}<10>;`)
  const kernel = `.visible .entry test(\n.param .u64 test_param_0\n)\n{\n${registers.join('\n')}\n${body}\nret;\n}\n`
  writeFileSync(file, `.version 8.0\n.target sm_70\n.address_size 64\n${kernel}`)
}

/** Launches a kernel of the PTX file on a copy of the buffer, and returns the copy. Throws an error if the launch fails. */
export function launchEmulated(launch: EmulatedLaunch, buffer: Uint8Array): Uint8Array {
  const { file, kernel = 'test', blocks = 1, threads = 1, sharedBytes = 0, order = 'ascending' } = launch
  const sizes = [blocks, threads, sharedBytes].map(String)
  const args = [compileEmulation('ptx', file), kernel, ...sizes, order]
  const { status, stdout, stderr } = spawnSync(compileEmulation('runner'), args, { input: buffer })
  if (status !== 0) throw new Error(stderr.toString().trim())
  return new Uint8Array(stdout)
}
