// Builds the native engine for every platform for which the package includes it, on one machine. It uses zig, which
// compiles and links for all of them; if zig is missing, it is installed from PyPI into native/build/.
//
//   node scripts/build-prebuilds.mjs [--only linux-arm64] [--stage | --unstage | --tests]
//
// The addons are written to native/build/prebuilds/<platform>-<arch>/. --stage also copies them to prebuilds/, where the
// package has them, and --unstage removes that folder. npm pack calls both, so that a clone has no prebuilds/ and runs the
// addon that was built last. --tests builds the core's GoogleTest tests instead, for an emulator (Linux only).
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BuildError, inParallel, runTool } from './building/processes.mjs'
import { addonFolders, buildFolder, nativeFolder, optimizedFlags, testFolders } from './building/sources.mjs'
import { build } from './building/target.mjs'
import { writeTestTapes } from './building/test-tapes.mjs'

const builtFolder = join(buildFolder, 'prebuilds')
const stagedFolder = join(nativeFolder, '..', 'prebuilds')
const zigPackage = 'ziglang==0.17.1'
const zigFolder = join(buildFolder, 'zig')
const zigHint = `It needs zig 0.17: pip install ${zigPackage}, or ZIG=/path/to/zig`

// Node 20 itself requires glibc 2.28 (Debian 10, RHEL 8, Ubuntu 18.10) and macOS 11.
const platforms = {
  'linux-x64': { triple: 'x86_64-linux-gnu.2.28' },
  'linux-arm64': { triple: 'aarch64-linux-gnu.2.28' },
  'darwin-x64': { triple: 'x86_64-macos.11.0', link: macLink },
  'darwin-arm64': { triple: 'aarch64-macos.11.0', link: macLink },
  'win32-x64': { triple: 'x86_64-windows-gnu', link: importLibrary },
}

// While zig compiles one platform's C and C++ libraries, which it does when it links for the first time, most cores idle.
const platformsAtOnce = 2

const googleTest = '/usr/src/googletest/googletest'

try {
  const { only, stage, unstage, tests } = readOptions()
  if (unstage) rmSync(stagedFolder, { recursive: true, force: true })
  else {
    zigCompiler(platforms[only[0]].triple) // installs zig once
    const buildOne = async (name, index) => {
      console.error(`${index + 1} of ${only.length}: ${name}`)
      await (tests ? buildTests(name) : buildAddon(name))
    }
    await inParallel(only, buildOne, platformsAtOnce)
    if (stage) stageAddons(only)
  }
} catch (error) {
  console.error(error instanceof BuildError ? error.message : error)
  process.exitCode = 1
}

function readOptions() {
  const flag = { type: 'boolean', default: false }
  const only = { type: 'string', multiple: true, default: Object.keys(platforms) }
  try {
    const { values } = parseArgs({ options: { only, stage: flag, unstage: flag, tests: flag } })
    const unknown = values.only.find((name) => !(name in platforms))
    if (unknown === undefined) return values
    throw new Error(`--only takes ${Object.keys(platforms).join(', ')}, not "${unknown}"`)
  } catch (error) {
    console.error(`build-prebuilds: ${error.message}`)
    process.exit(2)
  }
}

async function buildAddon(name) {
  mkdirSync(join(builtFolder, name), { recursive: true })
  const { link = () => [] } = platforms[name]
  const linkFlags = ['-shared', '-s', '-O3', ...(await link(name))]
  const file = await buildFor(name, 'eigenae.node', addonFolders, { linkFlags })
  if (!readFileSync(file).includes('napi_register_module_v1')) {
    throw new BuildError(`${file} does not export what Node calls`)
  }
}

async function buildTests(name) {
  await writeTestTapes()
  const testFlags = [googleTest, `${googleTest}/include`].map((folder) => `-I${folder}`)
  const sources = ['gtest-all.cc', 'gtest_main.cc'].map((source) => join(googleTest, 'src', source))
  const linkFlags = ['-s', '-std=c++17', '-O2', ...testFlags, ...sources]
  await buildFor(name, 'core-tests', testFolders, { linkFlags, testFlags })
}

async function buildFor(name, fileName, folders, more) {
  const [system, architecture] = name.split('-')
  const file = join(builtFolder, name, fileName)
  const position = system === 'win32' ? [] : ['-fPIC'] // code for Windows is always position-independent
  const target = { name, file, architecture, folders, flags: [...position, ...optimizedFlags], ...more }
  await build(target, zigCompiler(platforms[name].triple))
  console.error(`${name}: ${file}`)
  return file
}

function zigCompiler(triple) {
  const found = findZig() ?? installZig()
  if (found !== null) {
    const { command, flags, version } = found
    const hint = (reason) => `The addon for ${triple} was not built: ${reason}. ${zigHint}`
    return {
      command,
      // zig adds the sanitizer of undefined behaviour to code that is not optimised, as the tests are.
      flags: [...flags, 'c++', '-target', triple, '-fno-sanitize=undefined'],
      zig: flags,
      version,
      hint,
    }
  }
  throw new BuildError(`The addons were not built: zig was not found. ${zigHint}`)
}

/** Returns the first zig of $ZIG, the one that this script has installed, pip's and the path's, or null. */
function findZig() {
  for (const name of [process.env.ZIG, join(zigFolder, 'ziglang', 'zig'), 'python3 -m ziglang', 'zig']) {
    if (!name) continue
    const [command, ...flags] = name.trim().split(/\s+/)
    const { status, stdout } = spawnSync(command, [...flags, 'version'], { encoding: 'utf8' })
    if (status === 0) return { command, flags, version: `zig ${stdout}` }
  }
  return null
}

/** Installs zig from PyPI into the build folder. Returns null if that fails. */
function installZig() {
  console.error(`installing ${zigPackage} into ${zigFolder}`)
  const install = ['-m', 'pip', 'install', '--quiet', '--target', zigFolder, zigPackage]
  const { status } = spawnSync('python3', install, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PIP_ROOT_USER_ACTION: 'ignore' },
  })
  return status === 0 ? findZig() : null
}

/**
 * Node's functions are resolved when the addon is loaded. Without an install name, the file would contain this machine's
 * path.
 */
function macLink() {
  return ['-Wl,-undefined,dynamic_lookup', '-Wl,-install_name,@rpath/eigenae.node']
}

/** Creates the import library of node.exe, which the linker for Windows needs. */
async function importLibrary(name) {
  const { def_paths } = createRequire(import.meta.url)('node-api-headers')
  const file = join(builtFolder, name, 'node.lib')
  const { command, zig, hint } = zigCompiler(platforms[name].triple)
  const machine = ['-m', 'i386:x86-64']
  await runTool(command, [...zig, 'dlltool', '-d', def_paths.node_api_def, '-l', file, ...machine], { hint })
  return [file]
}

function stageAddons(names) {
  rmSync(stagedFolder, { recursive: true, force: true })
  for (const name of names) {
    cpSync(join(builtFolder, name, 'eigenae.node'), join(stagedFolder, name, 'eigenae.node'), {
      recursive: true,
    })
  }
}
