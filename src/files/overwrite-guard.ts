import { lstatSync, statSync } from 'node:fs'
import { extname } from 'node:path'
import { fileError, hasCode, usageError } from '../errors.js'
import { readFirstBytes } from './read.js'

/** Named by every picture and report as its generator, as the sign that a later call may replace it. */
export const signature = 'made by eigenae'

/** Whether a file that begins with these bytes was written by eigenae. */
export type Mark = (head: Buffer) => boolean

/** A file to be written, and the mark of an earlier one that may be replaced. */
export interface Output {
  readonly file: string
  readonly mark: Mark
}

// All marks lie within.
const headBytes = 1000

export function beginsWith(text: string): Mark {
  return (head) => head.toString('latin1').startsWith(text)
}

/** An HTML page whose generator is named in its third line, as src/report/page.ts and src/explore/page.ts write it. */
export function pageMark(generator: string): Mark {
  const beginning = new RegExp(
    `^<!doctype html>\\n<html [^\\n]*\\n<meta name="generator" content="${generator}">`,
  )
  return (head) => beginning.test(head.toString('latin1'))
}

/** The root element's first attribute. */
export const svgMark = beginsWith(`<svg data-generator="${signature}" `)

/** The text of a PNG's second chunk. */
export const pngText = `Software\0${signature}`

// Signature of the format 8, first chunk 25, length of the second 4.
const secondChunk = 8 + 25 + 4

const pngMark: Mark = (head) => head.indexOf(`tEXt${pngText}`, secondChunk, 'latin1') === secondChunk

/** The mark of a picture, by its name's ending. */
export function pictureMark(file: string): Mark {
  return extname(file) === '.png' ? pngMark : svgMark
}

/**
 * Throws a usage error if a file exists that eigenae did not write. Writes nothing.
 * @param option how the user names another place: "Name another folder with --out."
 */
export function refuseForeignFiles(outputs: readonly Output[], hint: string): void {
  for (const output of outputs) {
    if (isFolder(output.file))
      throw usageError({ problem: 'is a folder, not a file', subject: output.file, hint })
    if (isOurs(output) !== false) continue
    throw usageError({
      problem: 'exists and was not written by this command; refusing to overwrite it',
      subject: output.file,
      hint,
    })
  }
}

/** Throws a usage error if a file exists, written by eigenae or not. */
export function refuseExistingFiles(outputs: readonly Output[], hint: string): void {
  for (const { file } of outputs) {
    if (lstatSync(file, { throwIfNoEntry: false }) === undefined) continue
    throw usageError({ problem: 'exists already', subject: file, hint })
  }
}

/** Whether eigenae wrote the file; null if there is none. */
export function isOurs({ file, mark }: Output): boolean | null {
  const head = headOf(file)
  return head === undefined ? null : mark(head)
}

function isFolder(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false
  } catch (error) {
    throw fileError('look at', file, error)
  }
}

function headOf(file: string): Buffer | undefined {
  try {
    return readFirstBytes(file, headBytes)
  } catch (error) {
    if (!hasCode((error as Error).cause, 'ENOTDIR')) throw error
    throw usageError({ problem: 'lies under a file, not a folder', subject: file })
  }
}
