// Builds a target with a compiler, unless it is up to date.
//
// A target is a file that is made from folders of native/: { name, file, architecture, folders, flags, linkFlags }. Its name
// is for messages. A compiler is { command, flags, version, hint }: command is null if none was found, and hint(reason)
// returns the advice to print then.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BuildError, inParallel, runTool } from './processes.mjs'
import { buildFolder, commonFlags, compileUnits, filesIn, nativeFolder } from './sources.mjs'

const root = join(nativeFolder, '..')

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
  const run = (args) => runTool(compiler.command, [...compiler.flags, ...args], { hint: compiler.hint })
  const temporary = mkdtempSync(join(buildFolder, 'objects-')) // so that two builds at once do not share objects
  try {
    const objects = await inParallel(units, async (unit) => {
      const object = join(temporary, `${unit.source.replaceAll('/', '-')}${unit.suffix}.o`)
      await run([
        ...commonFlags,
        ...target.flags,
        ...unit.flags,
        '-c',
        join(nativeFolder, unit.source),
        '-o',
        object,
      ])
      compiled++
      if (compiled % shownEvery === 0) console.error(`  ${target.name}: ${compiled} of ${units.length}`)
      return object
    })
    const linked = join(temporary, basename(target.file))
    await run(['-pthread', '-o', linked, ...objects, ...target.linkFlags])
    renameSync(linked, target.file)
    console.error(`compiled ${target.name} in ${((performance.now() - started) / 1000).toFixed(0)} s`)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
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
