import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { scratchFolder } from './support/cli.js'

const root = join(import.meta.dirname, '..')
const workflow = readFileSync(join(root, '.github/workflows/ci.yml'), 'utf8')
const scratch = scratchFolder()

/** Runs a script of lint on a file with this content. */
function lint(
  script: string,
  name: string,
  content: string,
): { readonly code: number | null; readonly stderr: string } {
  writeFileSync(scratch(name), content)
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts', script), scratch(name)], {
    ...{ cwd: root, encoding: 'utf8' },
  })
  return { code: status, stderr }
}

describe('check-prose', () => {
  /** Returns the exit code, and the lines and words that are rejected. */
  function check(name: string, content: string) {
    const { code, stderr } = lint('check-prose.mjs', name, content)
    const rejected = [...stderr.matchAll(/:(\d+): "(.*?)" → \S/g)].map(
      ([, line, words]) => `${line} ${words}`,
    )
    return { code, rejected }
  }

  it.each([
    ['a line comment of TypeScript', 'a.ts', 'const a = 1 // the command that mends it\n', '1 mends'],
    ['the start of a comment', 'b.ts', '\n/**\n * What is there.\n */\n', '3 What'],
    ['the start of a later sentence', 'c.mjs', '// One is here.\n// Of others, none.\n', '2 Of'],
    ['words over a line break', 'd.ts', '// There are so\n// many of them.\n', '1 so many'],
    ['a string', 'e.ts', "const a = 'nobody has it'\n", '1 nobody'],
    ['a template', 'f.ts', `const a = \`it goes on at \${place}\`\n`, '1 goes on'],
    ['a comment of C++', 'g.h', 'int a = 0;  // the crew of threads\n', '1 crew'],
    ['Markdown', 'h.md', '# Title\n\nThe penalty is normalized.\n', '3 penalty,3 normalized'],
  ])('rejects a forbidden word in %s', (_, name, content, rejected) => {
    expect(check(name, content)).toEqual({ code: 1, rejected: rejected.split(',') })
  })

  it.each([
    ['code', 'a.ts', 'const penalty = crew.so(many)\n'],
    ['an identifier', 'b.ts', '// optimizer.penalty, penalty-weight and penalty_weight\n'],
    ['code in backticks', 'c.md', 'the field `penalty`\n\n```sh\npenalty\n```\n'],
    ['a string of one word', 'd.ts', "const a = 'penalty'\n"],
    ['a regular expression with a quote', 'e.ts', "const a = /'/.test(penalty ? 'a' : 'b')\n"],
    ['a sentence that goes on after "of"', 'f.ts', '// The name of it, or what is known.\n'],
  ])('accepts %s', (_, name, content) => {
    expect(check(name, content)).toEqual({ code: 0, rejected: [] })
  })
})

describe('check-workflows', () => {
  it('accepts the workflow of this project', () => {
    expect(lint('check-workflows.mjs', 'ci.yml', workflow)).toEqual({ code: 0, stderr: '' })
  })

  it('rejects an unknown key, with its place', () => {
    const { code, stderr } = lint('check-workflows.mjs', 'bad.yml', workflow.replace('runs-on', 'run-on'))
    expect(code).toBe(1)
    expect(stderr).toMatch(/bad\.yml:\d+:\d+: .*"run-on"/)
  })
})

describe('the workflow', () => {
  it("runs the README's two commands", () => {
    const commands = readFileSync(join(root, 'README.md'), 'utf8').match(/^npm ci && .*$/gm)!
    expect(commands).toHaveLength(2)
    for (const command of commands) expect(workflow).toContain(`- run: ${command}\n`)
  })
})

describe('the changelog', () => {
  it('has a section for the version in package.json', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')).toContain(`\n## [${version}] - `)
  })
})
