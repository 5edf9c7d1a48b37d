// Compiles the kernels that come with the package into native/cuda/ptx/, or checks that they are current.
//
//   node scripts/cuda/generate-ptx.mjs            compiles those that are missing and removes others
//   node scripts/cuda/generate-ptx.mjs --check    compiles one of them and compares it
//   node scripts/cuda/generate-ptx.mjs --check --all
//
// A file is named by a hash of the kernel's sources and options, so a changed source shows as a missing file. NVRTC writes
// the same bytes on every machine.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { compileKernel } from '../../dist/engines/cuda/kernel.js'
import { loadNativeBinding } from '../../dist/engines/native/binding.js'
import { readShipped, shippedFolder, shippedKernels } from './shipped-kernels.mjs'
import { findNvrtc, nvrtcVersion, skipWithoutTools } from './wheels.mjs'

const flag = { type: 'boolean', default: false }
const { check, all } = parseArgs({ options: { check: flag, all: flag } }).values
const indexFile = join(shippedFolder, 'index.json')

const kernels = shippedKernels()
const index = `${JSON.stringify(
  kernels.map(({ key, options, uses }) => ({ key, nvrtc: nvrtcVersion, options, uses })),
  null,
  2,
)}\n`
const expected = new Set(['index.json', ...kernels.map(({ key }) => `${key}.ptx.gz`)])

if (check) {
  const problems = [
    ...[...expected].filter((name) => !present().includes(name)).map((name) => `${name} is missing`),
    ...present()
      .filter((name) => !expected.has(name))
      .map((name) => `${name} is of an older kernel`),
  ]
  if (present().includes('index.json') && readFileSync(indexFile, 'utf8') !== index)
    problems.push('index.json is not current')
  for (const problem of problems) fail(problem)
  if (problems.length === 0) await skipWithoutTools('native/cuda/ptx', compareWithNvrtc)
} else {
  await skipWithoutTools('native/cuda/ptx', generate)
}

async function generate() {
  findNvrtc() // before anything is removed
  mkdirSync(shippedFolder, { recursive: true })
  for (const kernel of kernels.filter((kernel) => readShipped(kernel) === null)) {
    writeFileSync(kernel.file, gzipSync(await compile(kernel), { level: 9 })) // bench/cuda/card.cc has gzip alone
    console.error(`wrote native/cuda/ptx/${kernel.key}.ptx.gz: ${kernel.uses.join('; ')}`)
  }
  for (const name of present().filter((name) => !expected.has(name))) rmSync(join(shippedFolder, name))
  writeFileSync(indexFile, index)
}

async function compareWithNvrtc() {
  for (const kernel of all ? kernels : kernels.slice(0, 1)) {
    if ((await compile(kernel)) !== readShipped(kernel)) fail(`${kernel.key}.ptx.gz is not what NVRTC writes`)
  }
}

function compile({ options }) {
  return compileKernel(loadNativeBinding().binding.cuda, findNvrtc(), options)
}

function present() {
  try {
    return readdirSync(shippedFolder)
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw error
  }
}

function fail(problem) {
  console.error(`native/cuda/ptx: ${problem}: run node scripts/cuda/generate-ptx.mjs`)
  process.exitCode = 1
}
