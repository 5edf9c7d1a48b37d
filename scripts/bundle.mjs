// Bundles the command line and the scripts of the three pages: a part of npm run build. rolldown's own command line is not
// used because it lists every file that it writes.
import { resolve } from 'node:path'
import { build } from 'rolldown'

// A command starts in half the time if its many small modules, and those of the packages that every command needs, are
// bundled into a few files. All other packages are loaded from node_modules.
const bundled =
  /^(commander|zod|cli-progress|jsonc-parser|csv-writer|fastest-levenshtein|mnist-dataset)(\/|$)/
const isPackage = (id) => /^[@\w]/.test(id) && !/^[A-Za-z]:[\\/]/.test(id)

// `train` loads one file with its modules, because each file takes half a millisecond.
const groups = [
  { name: (id, graph) => (neededToTrain(graph).has(id) ? 'train' : null), debugName: 'train' },
  { name: 'shared', minShareCount: 3 },
]

let needed
function neededToTrain(graph) {
  if (needed !== undefined) return needed
  needed = new Set(['dist/cli.js', 'dist/commands/train.js'].map((file) => resolve(file)))
  for (const id of needed) for (const each of graph.getModuleInfo(id)?.importedIds ?? []) needed.add(each)
  return needed
}

const commandLine = {
  input: 'dist/cli.js',
  platform: 'node',
  external: (id, importer, resolved) =>
    !resolved && isPackage(id) && importer?.includes('/dist/') && !bundled.test(id),
  resolve: { mainFields: ['module', 'main'] },
  checks: { ineffectiveDynamicImport: false }, // `train` is imported by other commands, too
  output: { dir: 'dist/bundled', format: 'esm', cleanDir: true, codeSplitting: { groups } },
}

// The script is embedded in its page, so it is one small file.
const pages = ['explore', 'report', 'watch'].map((name) => ({
  input: `src/pages/browser/${name}-script.ts`,
  platform: 'browser',
  tsconfig: 'src/pages/browser/tsconfig.json',
  output: { file: `dist/pages/browser/${name}.js`, format: 'iife', minify: true },
}))

try {
  await build([commandLine, ...pages].map((bundle) => ({ ...bundle, logLevel: 'warn' })))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
