// Formats the C++ sources by .clang-format, or checks that they are formatted.
//
//   node scripts/format-native.mjs [--check]
//
// The output depends on clang-format's version, so it is pinned. If it is neither named by $CLANG_FORMAT nor on the path, it
// is installed from PyPI into native/build/.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BuildError } from './building/processes.mjs'
import { buildFolder } from './building/sources.mjs'

const version = '16.0.6'
const root = fileURLToPath(new URL('..', import.meta.url))
const installedFolder = join(buildFolder, 'clang-format')

try {
  const { check } = parseArgs({ options: { check: { type: 'boolean', default: false } } }).values
  const mode = check ? ['--dry-run', '--Werror'] : ['-i']
  const { status } = run(findClangFormat(), [...mode, '--style=file', ...sources()], { stdio: 'inherit' })
  if (status !== 0)
    throw new BuildError('The C++ sources are not formatted: run node scripts/format-native.mjs')
} catch (error) {
  console.error(error instanceof BuildError ? error.message : error)
  process.exitCode = 1
}

function sources() {
  const { stdout } = run('git', ['ls-files', '*.h', '*.cc', '*.cu'])
  return stdout.trim().split('\n')
}

function findClangFormat() {
  const installed = join(installedFolder, 'clang_format', 'data', 'bin', 'clang-format')
  const candidates = [process.env.CLANG_FORMAT, 'clang-format', 'clang-format-16', installed]
  const found = () => candidates.find((command) => command && versionOf(command) === version)
  return found() ?? install(found)
}

function versionOf(command) {
  return /version (\d+\.\d+\.\d+)/.exec(run(command, ['--version']).stdout ?? '')?.[1]
}

function install(found) {
  const wheel = `clang-format==${version}`
  console.error(`installing ${wheel} into ${installedFolder}`)
  run('python3', ['-m', 'pip', 'install', '--quiet', '--target', installedFolder, wheel], {
    stdio: 'inherit',
    env: { ...process.env, PIP_ROOT_USER_ACTION: 'ignore' },
  })
  const command = found()
  if (command !== undefined) return command
  throw new BuildError(
    `clang-format ${version} was not found: pip install ${wheel}, or CLANG_FORMAT=/path/to/it`,
  )
}

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options })
}
