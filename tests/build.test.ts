import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { scratchFolder } from './support/cli.js'

const root = join(import.meta.dirname, '..')
const scratch = scratchFolder()
const file = (name: string) => scratch('project', name)

/** The build scripts over a few lines of TypeScript, with a C++ compiler that writes empty files. */
function createProject(): void {
  for (const part of ['scripts', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'native'])
    cpSync(join(root, part), file(part), {
      recursive: true,
      filter: (source) => source !== join(root, 'native/build'),
    })
  symlinkSync(join(root, 'node_modules'), file('node_modules'))
  mkdirSync(file('src/pages/browser'), { recursive: true })
  for (const page of ['explore', 'report', 'watch'])
    writeFileSync(file(`src/pages/browser/${page}-script.ts`), 'console.log(1)\n')
  writeFileSync(file('src/pages/browser/tsconfig.json'), '{}')
  writeFileSync(file('src/cli.ts'), 'export const answer: number = 1\n')
  const compiler =
    '#!/bin/sh\necho "$@" >> compiled.txt\nwhile [ $# -gt 1 ]; do [ "$1" = -o ] && : > "$2"; shift; done\n'
  writeFileSync(scratch('compiler'), compiler, { mode: 0o755 })
}

/** Builds the project and returns the languages that were compiled. */
function build(...args: readonly string[]): string[] {
  const written = () => statSync(file('dist/cli.js'), { bigint: true, throwIfNoEntry: false })?.mtimeNs
  const before = written()
  const { status, stderr } = spawnSync(process.execPath, ['scripts/build.mjs', ...args], {
    ...{ cwd: scratch('project'), encoding: 'utf8', env: { ...process.env, CXX: scratch('compiler') } },
  })
  expect(status, stderr).toBe(0)
  return [...(stderr.includes('compiled') ? ['C++'] : []), ...(written() !== before ? ['TypeScript'] : [])]
}

describe('npm run build', () => {
  createProject()

  it('compiles everything once, then nothing', () => {
    expect(build()).toEqual(['C++', 'TypeScript'])
    expect(build()).toEqual([])
  })

  it.each(['src/cli.ts', 'tsconfig.json', 'scripts/bundle.mjs'])('compiles again if %s changes', (name) => {
    appendFileSync(file(name), '\n')
    expect(build()).toEqual(['TypeScript'])
    expect(build()).toEqual([])
  })

  it('compiles again if a source is added or removed', () => {
    writeFileSync(file('src/added.ts'), 'export {}\n')
    expect(build()).toEqual(['TypeScript'])
    rmSync(file('src/added.ts'))
    expect(build()).toEqual(['TypeScript'])
    expect(build()).toEqual([])
  })

  it('compiles the C++ core again if its sources change or its addon is missing', () => {
    appendFileSync(file('native/core/trainer.cc'), '\n')
    expect(build()).toContain('C++')
    rmSync(file('native/build/eigenae.node'))
    expect(build()).toContain('C++')
    expect(build()).toEqual([])
  })

  it('compiles only the C++ sources that changed or include a file that did', () => {
    const compiled = (changed: string) => {
      rmSync(file('compiled.txt'))
      appendFileSync(file(changed), '\n')
      build()
      const lines = readFileSync(file('compiled.txt'), 'utf8').split('\n')
      return lines.flatMap((line) => / -c \S*\/native\/(\S+) /.exec(line)?.[1] ?? [])
    }
    expect(compiled('native/core/trainer.cc')).toEqual(['core/trainer.cc'])
    const including = compiled('native/addon/values.h')
    expect(including).toContain('addon/values.cc')
    expect(including).not.toContain('core/trainer.cc')
  })

  it('compiles again if something else wrote to dist/, or with --force', () => {
    writeFileSync(file('dist/cli.js'), 'export const answer = 2\n')
    expect(build()).toEqual(['TypeScript'])
    expect(build('--force')).toEqual(['TypeScript'])
    expect(build()).toEqual([])
  })
})
