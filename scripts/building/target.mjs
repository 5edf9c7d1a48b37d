// Builds a target with a compiler, unless it is up to date.
//
// A target is a file that is made from folders of native/: { name, file, architecture, folders, flags, linkFlags } and, if
// native/tests/ needs more, testFlags. Its name is for messages. A compiler is { command, flags, version, hint }: command is
// null if none was found, and hint(reason) returns the advice to print then.
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BuildError, inParallel, runTool } from './processes.mjs'
import { buildFolder, commonFlags, compileUnits, filesIn, nativeFolder } from './sources.mjs'

const root = join(nativeFolder, '..')
/** Compiled sources, named after a digest of their inputs. They are removed a week after their last use. */
const objectFolder = join(buildFolder, 'objects')

/** Brings the target up to date with the sources. If that fails, the target is removed. */
export async function build(target, compiler) {
  const stampFile = `${target.file}.stamp`
  const stamp = existsSync(target.file) && existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : ''
  try {
    const sources = hashSources(target)
    if (compiler.command === null && stamp.startsWith(sources)) return
    if (compiler.command === null) throw new BuildError(compiler.hint('no C++17 compiler was found'))
    if (stamp === `${sources}\n${compiler.version}`) return
    await compileAndLink(target, compiler)
    writeFileSync(stampFile, `${sources}\n${compiler.version}`)
  } catch (error) {
    rmSync(target.file, { force: true })
    rmSync(stampFile, { force: true })
    throw error
  }
}

/** Compiles and prints the progress. In a clone, npm shows what the project's own install script prints. */
async function compileAndLink(target, compiler) {
  const started = performance.now()
  const units = compileUnits(target)
  const shownEvery = Math.ceil(units.length / 4)
  let compiled = 0
  console.error(`compiling ${target.name} (C++): ${units.length} files …`)
  mkdirSync(dirname(target.file), { recursive: true })
  mkdirSync(objectFolder, { recursive: true })
  const run = (args) => runTool(compiler.command, [...compiler.flags, ...args], { hint: compiler.hint })
  const temporary = mkdtempSync(join(buildFolder, 'making-')) // so that two builds at once do not share unfinished files
  try {
    const objects = await inParallel(units, async (unit) => {
      const flags = [...commonFlags, ...target.flags, ...unit.flags]
      const name = `${unit.source.replaceAll('/', '-')}${unit.suffix}-${hashObject(unit.source, flags, compiler)}.o`
      const object = join(objectFolder, name)
      if (existsSync(object)) utimesSync(object, new Date(), new Date())
      else {
        await run([...flags, '-c', join(nativeFolder, unit.source), '-o', join(temporary, name)])
        renameSync(join(temporary, name), object)
      }
      compiled++
      if (compiled % shownEvery === 0) console.error(`  ${target.name}: ${compiled} of ${units.length}`)
      return object
    })
    const linked = join(temporary, basename(target.file))
    await run(['-pthread', '-o', linked, ...objects, ...target.linkFlags])
    renameSync(linked, target.file)
    removeOldObjects()
    console.error(`compiled ${target.name} in ${((performance.now() - started) / 1000).toFixed(0)} s`)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** Returns a digest of everything that an object depends on but its folder: targets with the same flags share it. */
function hashObject(source, flags, compiler) {
  const hash = createHash('sha256')
  hash
    .update(JSON.stringify([...compiler.flags, ...flags]).replaceAll(root, ''))
    .update(`${compiler.version}\0`)
  for (const file of withIncludes(join(nativeFolder, source))) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  }
  return hash.digest('hex').slice(0, 32)
}

/** Returns a source and the files of native/ that it includes, all of which name each other by relative paths. */
function withIncludes(file, found = new Set()) {
  if (found.has(file) || !existsSync(file)) return found
  found.add(file)
  for (const [, name] of readFileSync(file, 'utf8').matchAll(/^\s*#include "(.+)"/gm))
    withIncludes(join(dirname(file), name), found)
  return found
}

function removeOldObjects() {
  const weekAgo = Date.now() - 7 * 24 * 3600 * 1000
  for (const name of readdirSync(objectFolder)) {
    const object = join(objectFolder, name)
    if (statSync(object).mtimeMs < weekAgo) rmSync(object)
  }
}

/** Returns a digest of everything but the compiler that the target depends on. A clone that was moved keeps its builds. */
function hashSources(target) {
  const hash = createHash('sha256')
  const recipe = ['sources.mjs', 'target.mjs'].map((name) => fileURLToPath(new URL(name, import.meta.url)))
  const sources = filesIn(target.folders, '.cc', '.h').map((file) => join(nativeFolder, file))
  for (const file of [...sources, ...recipe]) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  }
  const settings = JSON.stringify([target.flags, target.linkFlags, target.architecture])
  return hash.update(settings.replaceAll(root, '')).digest('hex')
}
