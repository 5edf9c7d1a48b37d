// Measures the machine by the programs in bench/machine/.
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const buildFolder = fileURLToPath(new URL('machine/build/', import.meta.url))
const programs = {
  peak: ['bench/machine/peak.cc', 'native/core/peak.cc'],
  passes: ['bench/machine/passes.cc'],
  cacheLine: ['bench/machine/cache_line.cc'],
}

/**
 * Compiles the programs. `peak()` returns GFLOP/s of one core and of all, and the billions of values a second in batch norm's two
 * passes. `cacheLine()` returns the nanoseconds that a cache line takes from the first core to each of the others.
 */
export async function compileMachine() {
  const compiler = process.env.CXX || 'g++'
  mkdirSync(buildFolder, { recursive: true })
  const flags = ['-std=c++17', '-O3', '-march=native', '-pthread']
  for (const [name, sources] of Object.entries(programs)) {
    await run(compiler, [...flags, ...sources, '-o', `${buildFolder}${name}`], { cwd: root })
  }
  return {
    compiler: (await run(compiler, ['--version'])).stdout.split('\n')[0],
    peak: async () => {
      const { instruction_set, cores, all } = await output('peak')
      const passes = await output('passes')
      return { instructionSet: instruction_set, cores, one: Math.max(...cores), all, passes }
    },
    cacheLine: async () => (await output('cacheLine')).nanoseconds_from_first_core,
  }
}

async function output(program) {
  return JSON.parse((await run(`${buildFolder}${program}`)).stdout)
}

export async function machineFacts(machine) {
  const { instructionSet, cores, all, passes } = await machine.peak()
  return {
    date: new Date().toISOString(),
    commit: git('rev-parse', '--short', 'HEAD'),
    /** Load average of the minute before. Above about 0.3, other processes were running. */
    load_before: loadavg()[0],
    changed_since_commit:
      git('status', '--porcelain', '--', 'src', 'native', 'bench', ':!bench/results') !== '',
    machine: {
      cpu: cpus()[0]?.model.trim() || 'unknown',
      cores: availableParallelism(),
      memory_gigabytes: Math.round(totalmem() / 1e9),
      system: `${process.platform} ${release()} ${process.arch}`,
      node: process.version,
      compiler: machine.compiler,
      instruction_set: instructionSet,
      peak_gigaflops_of_each_core: cores,
      peak_gigaflops_of_all_cores: all,
      norm_passes_gigavalues: passes,
      cache_line_nanoseconds_from_first_core: await machine.cacheLine(),
    },
  }
}

function git(...args) {
  try {
    return execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}
