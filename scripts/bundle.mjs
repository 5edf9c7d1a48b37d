// Bundles the command line and the scripts of the two pages: a part of npm run compile. By rolldown's API, since its
// command line lists every file that it wrote; warnings and errors are printed here, too.
import { build } from 'rolldown'

// A command starts in half the time when its many small modules, and those of the libraries that every command needs,
// are read as a few files. What is not named here stays in node_modules.
const bundled =
  /^(commander|zod|cli-progress|jsonc-parser|csv-writer|fastest-levenshtein|mnist-dataset)(\/|$)/
const isPackage = (id) => /^[@\w]/.test(id) && !/^[A-Za-z]:[\\/]/.test(id)

const commandLine = {
  input: 'dist/cli.js',
  platform: 'node',
  external: (id, importer, resolved) =>
    !resolved && isPackage(id) && importer?.includes('/dist/') && !bundled.test(id),
  resolve: { mainFields: ['module', 'main'] },
  output: { dir: 'dist/bundled', format: 'esm', cleanDir: true },
}

// A page holds its script in itself: one file, as small as may be.
const pages = ['explore', 'report'].map((name) => ({
  input: `src/${name}/page/main.ts`,
  platform: 'browser',
  tsconfig: `src/${name}/page/tsconfig.json`,
  output: { file: `dist/${name}/page/main.js`, format: 'iife', minify: true },
}))

try {
  await build([commandLine, ...pages].map((bundle) => ({ ...bundle, logLevel: 'warn' })))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
