// NVIDIA's tools from PyPI: NVRTC, which compiles CUDA to PTX, ptxas, which compiles PTX to machine code, and nvdisasm, which
// prints machine code. None needs a card. They are installed into native/build/ when they are first needed; `eigenae setup cuda` installs NVRTC as well.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { findNvrtc as findInstalledNvrtc } from '../../dist/setup/nvrtc.js'
import { buildFolder } from '../building/sources.mjs'

/** A tool that cannot be installed here, for example without network or on another system. */
export class MissingTool extends Error {}

// The oldest NVRTC of CUDA 12: every driver from 525 on loads its PTX.
export const nvrtcVersion = '12.0.140'
const nvrtc = {
  wheel: `nvidia-cuda-nvrtc-cu12==${nvrtcVersion}`,
  file: 'nvidia/cuda_nvrtc/lib/libnvrtc.so.12',
}
// The last ptxas for compute capability 7.0 that also has 12.0.
const ptxas = { wheel: 'nvidia-cuda-nvcc-cu12==12.9.86', file: 'nvidia/cuda_nvcc/bin/ptxas' }
const nvdisasm = { wheel: 'nvidia-cuda-nvdisasm==13.2.51', file: 'nvidia/cu13/bin/nvdisasm' }

/** Returns NVRTC as { version, library }: $EIGENAE_NVRTC, that of `eigenae setup cuda`, or the wheel's. Throws MissingTool. */
export function findNvrtc() {
  if (process.env.EIGENAE_NVRTC) return { version: nvrtcVersion, library: process.env.EIGENAE_NVRTC }
  try {
    const found = findInstalledNvrtc()
    if (found.version === nvrtcVersion) return found
  } catch {}
  return { version: nvrtcVersion, library: installed(nvrtc) }
}

/** Returns the path of ptxas. Throws MissingTool. */
export function findPtxas() {
  return installedProgram(ptxas)
}

/** Returns the path of nvdisasm. Throws MissingTool. */
export function findNvdisasm() {
  return installedProgram(nvdisasm)
}

function installedProgram(tool) {
  const path = installed(tool)
  chmodSync(path, 0o755)
  return path
}

/**
 * Calls work(). If a tool is missing, it prints that `name` is skipped, and with CI set the process fails.
 */
export async function skipWithoutTools(name, work) {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error
    console.error(`${process.env.CI ? 'failed' : 'skipped'} ${name}: ${error.message}`)
    if (process.env.CI) process.exitCode = 1
  }
}

function installed({ wheel, file }) {
  const folder = join(buildFolder, wheel.replace('==', '-'))
  if (existsSync(folder)) return join(folder, file)
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new MissingTool(`${wheel} is for Linux on x86-64, not for ${process.platform} ${process.arch}`)
  console.error(`installing ${wheel} into ${folder}`)
  mkdirSync(buildFolder, { recursive: true })
  const partial = `${folder}.${process.pid}`
  const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', partial, wheel]
  const env = { ...process.env, PIP_ROOT_USER_ACTION: 'ignore' }
  const { error, status, stderr } = spawnSync('python3', args, { encoding: 'utf8', env })
  if (error !== undefined || status !== 0) {
    rmSync(partial, { recursive: true, force: true })
    const reason = error?.message ?? stderr.trim().split('\n').at(-1)
    throw new MissingTool(`pip could not install ${wheel} (${reason})`)
  }
  renameSync(partial, folder)
  return join(folder, file)
}
