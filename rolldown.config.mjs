import { defineConfig } from 'rolldown'

// A command starts in half the time when its many small modules, and those of the libraries that every command needs,
// are read as a few files. What is not named here stays in node_modules.
const bundled =
  /^(commander|zod|cli-progress|jsonc-parser|csv-writer|fastest-levenshtein|mnist-dataset)(\/|$)/
const isPackage = (id) => /^[@\w]/.test(id) && !/^[A-Za-z]:[\\/]/.test(id)

export default defineConfig({
  input: 'dist/cli.js',
  platform: 'node',
  external: (id, importer, resolved) =>
    !resolved && isPackage(id) && importer?.includes('/dist/') && !bundled.test(id),
  resolve: { mainFields: ['module', 'main'] },
  output: { dir: 'dist/bundled', format: 'esm', cleanDir: true },
})
