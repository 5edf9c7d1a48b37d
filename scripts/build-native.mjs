// Builds the native engine into native/build/ with the first C++17 compiler that it finds.
//
//   node scripts/build-native.mjs [--strict] [--tests] [--sanitize=address,undefined|thread [--addon]]
//
// It runs when the package is installed. Without a compiler it prints what to install and exits with 0, or with 1 if
// --strict is set, because a machine without a compiler must not fail to install the package.
//
// --tests also builds core-tests, which needs GoogleTest. --sanitize builds only core-tests, or only the addon with --addon,
// in a folder of their own. Node loads such an addon if the sanitizer's library is preloaded.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BuildError } from './building/processes.mjs'
import { addonFolders, buildFolder, optimizedFlags, testFolders } from './building/sources.mjs'
import { build } from './building/target.mjs'
import { writeTestTapes } from './building/test-tapes.mjs'

const options = readOptions()

try {
  const compiler = findCompiler()
  const { sanitize } = options
  if (options.tests || (options.sanitize && !options.addon)) await writeTestTapes()
  const targets = [sanitize && !options.addon ? testsTarget(sanitize) : addonTarget(sanitize)]
  if (options.tests && !sanitize) targets.push(testsTarget())
  for (const target of targets) await build(target, compiler)
} catch (error) {
  console.error(
    error instanceof BuildError ? error.message : `The native engine was not built: ${error.message}`,
  )
  process.exitCode = options.strict || options.tests || options.sanitize ? 1 : 0
}

function readOptions() {
  try {
    const flag = { type: 'boolean', default: false }
    return parseArgs({ options: { strict: flag, tests: flag, addon: flag, sanitize: { type: 'string' } } })
      .values
  } catch (error) {
    console.error(`build-native: ${error.message}`)
    process.exit(2)
  }
}

function addonTarget(sanitizers) {
  // Before version 2.34 of the GNU C library, dlopen was in a library of its own.
  const linkFlags =
    process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-ldl']
  return {
    name: sanitizers ? 'the native engine with sanitizers' : 'the native engine',
    file: join(buildFolder, sanitizers ? `sanitize-${sanitizers}` : '.', 'eigenae.node'),
    architecture: process.arch,
    folders: addonFolders,
    flags: compileFlags(sanitizers),
    linkFlags: [...sanitizerFlags(sanitizers), ...linkFlags],
  }
}

function compileFlags(sanitizers) {
  return ['-fPIC', ...(sanitizers ? sanitizerFlags(sanitizers) : optimizedFlags)]
}

function sanitizerFlags(sanitizers) {
  if (!sanitizers) return []
  return ['-O1', '-g1', '-fno-omit-frame-pointer', `-fsanitize=${sanitizers}`, '-fno-sanitize-recover=all']
}

function testsTarget(sanitizers) {
  return {
    name: "the native engine's tests",
    file: join(buildFolder, sanitizers ? `sanitize-${sanitizers}` : '.', 'core-tests'),
    architecture: process.arch,
    folders: testFolders,
    flags: compileFlags(sanitizers),
    linkFlags: [...sanitizerFlags(sanitizers), '-lgtest', '-lgtest_main'],
  }
}

/** Returns the first of $CXX, g++, clang++ and c++ that compiles C++17. Its command is null if none does. */
function findCompiler() {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw new BuildError(
      `The native engine was not built: it builds on Linux and macOS, not on ${process.platform}.`,
    )
  }
  const probe = '#include <optional>\nint main() { return std::optional<int>(0).value(); }\n'
  for (const name of [process.env.CXX, 'g++', 'clang++', 'c++']) {
    if (!name) continue
    const [command, ...flags] = name.trim().split(/\s+/)
    const compiles = spawnSync(command, [...flags, '-std=c++17', '-fsyntax-only', '-x', 'c++', '-'], {
      input: probe,
    })
    if (compiles.status !== 0) continue
    const version = spawnSync(command, [...flags, '--version'], { encoding: 'utf8' }).stdout
    return { command, flags, version: `${name}\n${version}`, hint: installHint }
  }
  return { command: null, hint: installHint }
}

function installHint(reason) {
  const commands =
    process.platform === 'darwin'
      ? ['xcode-select --install']
      : ['Debian, Ubuntu:  apt-get install g++', 'Fedora:          dnf install gcc-c++']
  return [
    `The native engine was not built: ${reason}. It needs a C++17 compiler:`,
    ...commands.map((command) => `  ${command}`),
    'Then run: node scripts/build-native.mjs --strict',
  ].join('\n')
}
