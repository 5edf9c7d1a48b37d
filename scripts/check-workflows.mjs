/**
 * Checks the workflows of GitHub with actionlint: a part of npm run lint
 *
 * usage: check-workflows.mjs [FILE…]    all of .github/workflows/ if none is named
 */
import { readdirSync, readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'

const folder = '.github/workflows'
const files =
  process.argv.length > 2 ? process.argv.slice(2) : readdirSync(folder).map((name) => `${folder}/${name}`)

const lint = await createLinter()
for (const file of files) {
  for (const { line, column, message } of lint(readFileSync(file, 'utf8'), file)) {
    console.error(`${file}:${line}:${column}: ${message}`)
    process.exitCode = 1
  }
}
