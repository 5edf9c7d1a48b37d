import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, run } from './command.mjs'

const sources = join(root, 'tests/faults/native')
// So the number of a command's operations does not depend on the speed of the machine.
const saveEveryEpoch = pathToFileURL(join(root, 'tests/support/save-every-epoch.mjs'))
let built = 0

/** Compiles a program or a library of tests/faults/native/. */
export function compile(workplace, name, ...flags) {
  const file = workplace.path(name)
  if (!existsSync(file)) execFileSync('g++', ['-O1', ...flags, '-o', file, join(sources, `${name}.cc`)])
  return file
}

/**
 * Runs the command line with native/operations.cc preloaded, which also explains the settings. Returns the number of
 * operations and the line about the one that failed, together with the outcome of the command.
 */
export async function withOperations(workplace, folder, settings, program, args, options = {}) {
  const library = compile(workplace, 'operations', '-shared', '-fPIC')
  const [counter, log] = ['count', 'log'].map((name) => workplace.path(`${name}-${++built}`))
  writeFileSync(counter, Buffer.alloc(8))
  const env = {
    LD_PRELOAD: library,
    NODE_OPTIONS: `--import=${saveEveryEpoch}`,
    UV_USE_IO_URING: '0',
    FAULTS_FOLDER: folder,
    FAULTS_COUNTER: counter,
    FAULTS_LOG: log,
    FAULTS_AT: String(settings.at ?? 0),
    FAULTS_ACTION: String(settings.action ?? ''),
    FAULTS_SCOPE: settings.scope ?? 'changes',
    FAULTS_LASTING: settings.lasting ? '1' : '0',
    FAULTS_DISK: settings.disk ?? '',
    FAULTS_CUT: String(settings.cut ?? ''),
    FAULTS_COMMIT: String(settings.commit ?? 0),
  }
  const result = await run(program, args, { ...options, env: { ...env, ...options.env } })
  const operation = existsSync(log) ? readFileSync(log, 'utf8').split('\n')[0] : null
  return { ...result, operations: Number(readFileSync(counter).readBigUInt64LE()), operation }
}

export const errorNumbers = Object.fromEntries(
  ['ENOSPC', 'EIO', 'EDQUOT', 'EMFILE', 'EACCES'].map((name) => [name, constants.errno[name]]),
)
