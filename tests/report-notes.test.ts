import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readReportNotes } from '../src/pages/report/report-notes.js'
import { scratchFolder } from './support/cli.js'

const scratch = scratchFolder()
const beginnings: Readonly<Record<string, Buffer>> = {
  png: Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
  jpg: Buffer.from('\xff\xd8\xff\xe0', 'latin1'),
  gif: Buffer.from('GIF89a'),
  webp: Buffer.from('RIFF\n\0\0\0WEBP'),
  svg: Buffer.from('<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'),
}

/** Returns the HTML of notes with the given pictures. */
async function notesWith(...pictures: readonly string[]): Promise<string> {
  const file = scratch('notes.md')
  writeFileSync(file, pictures.map((picture) => `![a picture](${picture})`).join('\n\n'))
  return (await readReportNotes(file)).text
}

beforeAll(() => {
  mkdirSync(scratch('pictures'))
  for (const [type, bytes] of Object.entries(beginnings))
    writeFileSync(scratch(`pictures/a b.${type}`), bytes)
})

describe('the notes of a report', () => {
  it('are refused if they are not text', async () => {
    for (const bytes of [beginnings.png!, Buffer.from('a\0b'), Buffer.from('\xe4', 'latin1')]) {
      writeFileSync(scratch('binary'), bytes)
      await expect(readReportNotes(scratch('binary'))).rejects.toThrow(
        `${scratch('binary')}: is not text in UTF-8\n`,
      )
    }
  })
})

describe('pictures in the notes of a report', () => {
  it.each(Object.entries(beginnings))('become a part of the page: %s', async (type, bytes) => {
    expect(await notesWith(`pictures/a%20b.${type}`)).toContain(`;base64,${bytes.toString('base64')}"`)
  })

  it.each(Object.keys(beginnings))('are refused if they are something else: %s', async (type) => {
    writeFileSync(scratch(`secret.${type}`), 'root:x:0:0:')
    await expect(notesWith(`secret.${type}`)).rejects.toThrow(
      /secret\.\w+: is not a picture of the type image/,
    )
  })

  it('are refused if they are links, or inside one', async () => {
    mkdirSync(scratch('private'))
    writeFileSync(scratch('private/own.png'), beginnings.png!)
    symlinkSync(scratch('private/own.png'), scratch('pictures/link.png'))
    symlinkSync(scratch('private'), scratch('pictures/inside'))
    for (const name of ['pictures/link.png', 'pictures/inside/own.png'])
      await expect(notesWith(name)).rejects.toThrow(
        `${scratch(name)}: is a symbolic link, or its path contains one`,
      )
  })

  it('are refused if reading them would not end', async () => {
    execFileSync('mkfifo', [scratch('fifo.png')])
    mkdirSync(scratch('folder.png'))
    for (const name of ['fifo.png', 'folder.png'])
      await expect(notesWith(name)).rejects.toThrow(`${scratch(name)}: is not a regular file`)
  })

  it('are refused if they are too large together', async () => {
    for (const name of ['large.png', 'larger.png']) writeFileSync(scratch(name), beginnings.png!)
    truncateSync(scratch('large.png'), 20 << 20)
    truncateSync(scratch('larger.png'), 2 ** 40)
    await expect(notesWith('larger.png')).rejects.toThrow('larger.png: is too large: ')
    await expect(notesWith('large.png', 'large.png')).rejects.toThrow(
      'large.png: is too large: the pictures in the notes exceed 32 MiB',
    )
  })

  it('are refused if they do not exist, whatever their names', async () => {
    for (const name of ['none.png', '%ff.png', '%00.png'])
      await expect(notesWith(name)).rejects.toMatchObject({ name: 'EigenaeError', exit: 2 })
  })

  it('may be anywhere if the folder of the notes is reached through a link', async () => {
    symlinkSync(scratch(), scratch('pictures/home'))
    writeFileSync(scratch('linked.md'), '![a picture](pictures/a%20b.png)')
    expect((await readReportNotes(join(scratch('pictures/home'), 'linked.md'))).text).toContain('image/png')
  })
})
