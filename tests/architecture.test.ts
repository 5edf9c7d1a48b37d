import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')

/** The files of src, each with the files of src that it imports, types included. */
const imports = new Map<string, readonly string[]>()
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'src/**.ts'], {
  cwd: root,
})
for (const file of new Set(files.toString().trim().split('\n'))) {
  const text = readFileSync(join(root, file), 'utf8')
  const targets = [...text.matchAll(/(?:\bfrom|\bimport\()\s*'(\.[^']+)'/g)]
  imports.set(
    file,
    targets.map(([, target]) => join(dirname(file), target!).replace(/\.js$/, '.ts')),
  )
}

/** The folder of src in which a file is, or the name of a file that is in none. */
const folderOf = (file: string) => file.split('/')[1]!.replace(/\.ts$/, '')

/** The lines of the drawing in docs/architecture.md from the top; each has the names of its folders before its sentence. */
function drawnLines(): readonly (readonly string[])[] {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
  const [, drawing] = /^## The layers\n[\s\S]*?\n```\n([\s\S]*?)```/m.exec(text)!
  const lines = drawing!.split('\n').filter((line) => /^\w/.test(line))
  return lines.map((line) => line.split(/ {3,}/)[0]!.split(' '))
}

it('draws every folder of src once', () => {
  const drawn = drawnLines().flat().sort()
  expect(drawn).toEqual([...new Set([...imports.keys()].map(folderOf))].sort())
})

it('imports from the same folder, or from folders on lower lines of the drawing', () => {
  const lines = drawnLines()
  const lineOf = (file: string) => lines.findIndex((names) => names.includes(folderOf(file)))
  const upward = [...imports].flatMap(([file, targets]) =>
    targets
      .filter((target) => folderOf(target) !== folderOf(file) && lineOf(target) <= lineOf(file))
      .map((target) => `${file} imports ${target}`),
  )
  expect(upward).toEqual([])
})

it('has no circle of files', () => {
  const circles: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
    if (done.has(file) || path.includes(file)) return
    for (const target of imports.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
  expect(circles).toEqual([])
})
