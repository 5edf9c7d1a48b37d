/**
 * Checks comments, strings and Markdown against scripts/prose-rules.mjs: a part of npm run lint
 *
 * usage: check-prose.mjs [FILE…]    all tracked files if none is named
 *
 * `code` in backticks and fenced blocks are not prose, and a string is prose if it has several words.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { anywhere, exceptions, sentenceStarts } from './prose-rules.mjs'

// Adjacent lines of // are one comment. Regular expressions and characters are matched so that a quote in them does not
// begin a string.
const comment = String.raw`(?<comment>\/\/[^\n]*(?:\n[ \t]*\/\/[^\n]*)*|\/\*[\s\S]*?\*\/)`
const quoted = String.raw`'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"`
const template = String.raw`${'`'}(?:\\.|\$\{(?:[^${'`'}{}]|${'`'}[^${'`'}]*${'`'}|\{[^{}]*\})*\}|[^${'`'}\\])*${'`'}`
const regularExpression = String.raw`(?<=[(,=:[!&|?{};]\s*|return )\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/`
const javaScript = new RegExp(`${comment}|(?<string>${quoted}|${template})|${regularExpression}`, 'g')
const cpp = new RegExp(String.raw`${comment}|(?<string>"(?:\\.|[^"\\\n])*")|(?<!\w)'\\?.'`, 'g')

const blank = (text) => text.replaceAll(/[^\n]/g, ' ')

const rules = [
  ...anywhere.map(([pattern, advice]) => ({
    advice,
    expression: expressionOf('(?<![\\w$.-])', pattern, 'gi'),
  })),
  ...sentenceStarts.map(([pattern, advice]) => ({
    ...{ advice, expression: expressionOf('(?:^\\s*|[.!?]\\s+)', pattern, 'g'), onlyComments: true },
  })),
]

function expressionOf(before, pattern, flags) {
  const words = pattern.replaceAll(' ', '\\s+')
  return new RegExp(`${before}(?<words>${words})(?![\\w$]|[.-]\\w)`, flags)
}

const named = process.argv.slice(2)
const files = named.length > 0 ? named : trackedFiles()
const mistakes = files.filter((file) => !isExempt(file, '')).flatMap(check)
if (named.length === 0) mistakes.push(...unusedExceptions())
for (const mistake of mistakes) console.error(mistake)
if (mistakes.length > 0) process.exitCode = 1

function trackedFiles() {
  const patterns = ['*.ts', '*.mjs', '*.cc', '*.h', '*.md']
  const listed = execFileSync('git', ['ls-files', ...patterns], { encoding: 'utf8' })
  return listed.trim().split('\n')
}

/** True if an exception leaves out the whole file or this line of it. */
function isExempt(file, line) {
  return exceptions.some((each) => each.file === file && line.includes(each.text ?? ''))
}

function unusedExceptions() {
  return exceptions
    .filter(({ file, text = '' }) => !existsSync(file) || !readFileSync(file, 'utf8').includes(text))
    .map(({ file }) => `scripts/prose-rules.mjs: the exception for ${file} matches nothing → remove it`)
}

/** Returns a line of output for each match of a rule in the file. */
function check(file) {
  const source = readFileSync(file, 'utf8')
  const lines = source.split('\n')
  return readProse(file, source).flatMap(({ text, offset, isComment }) =>
    rules
      .filter(({ onlyComments }) => isComment || !onlyComments)
      .flatMap(({ expression, advice }) =>
        [...text.matchAll(expression)].map(({ 0: all, index, groups: { words } }) => {
          const start = offset + index + all.length - words.length
          const line = source.slice(0, start).split('\n').length
          return { line, message: `${file}:${line}: "${words.replaceAll(/\s+/g, ' ')}" → ${advice}` }
        }),
      )
      .filter(({ line }) => !isExempt(file, lines[line - 1]))
      .map(({ message }) => message),
  )
}

/** Returns the pieces of prose as { text, offset, isComment }, with all else in them blanked out. */
function readProse(file, source) {
  if (file.endsWith('.md')) {
    const text = source.replaceAll(/```[\s\S]*?```|`[^`\n]*`|\]\([^)]*\)/g, blank)
    return [{ text, offset: 0, isComment: false }]
  }
  return [...source.matchAll(/\.(cc|h)$/.test(file) ? cpp : javaScript)].flatMap(({ index, groups }) => {
    if (groups.comment) return [{ text: proseOfComment(groups.comment), offset: index, isComment: true }]
    if (!groups.string || !/[a-z,]\s+[a-z]/i.test(groups.string)) return []
    return [{ text: groups.string.replaceAll(/\$\{[^}]*\}/g, blank), offset: index, isComment: false }]
  })
}

function proseOfComment(text) {
  return text.replaceAll(/^\s*(\/\/|\/\*\*?|\*(?!\/))|`[^`\n]*`/gm, blank)
}
