import { lstatSync, statSync } from 'node:fs'
import { extname } from 'node:path'
import { fileError, hasCode, usageError } from '../errors.js'
import { readHead } from './read.js'

/** The generator that every picture and report names. A file that names it may be replaced. */
export const signature = 'made by eigenae'

/** Whether a file that begins with these bytes was written by eigenae. */
export type Mark = (head: Buffer) => boolean

/** A file to be written, and the mark of an earlier one that may be replaced. */
export interface Output {
  readonly file: string
  readonly mark: Mark
}

// All marks lie within these first bytes.
const headBytes = 1000

export function beginsWith(text: string): Mark {
  return (head) => head.toString('latin1').startsWith(text)
}

/** An HTML page whose generator is named in its third line, as the reports and the pages of `explore` have it. */
export function pageMark(generator: string): Mark {
  const beginning = new RegExp(
    `^<!doctype html>\\n<html [^\\n]*\\n<meta name="generator" content="${generator}">`,
  )
  return (head) => beginning.test(head.toString('latin1'))
}

/** An SVG whose root element has the signature as its first attribute. */
const svgMark = beginsWith(`<svg data-generator="${signature}" `)

/** The text chunk of a PNG, which is its second chunk. */
export const pngText = `Software\0${signature}`

// 8 bytes of signature, 25 of the first chunk, 4 of the second chunk's length.
const secondChunk = 8 + 25 + 4

const pngMark: Mark = (head) => head.indexOf(`tEXt${pngText}`, secondChunk, 'latin1') === secondChunk

/** Returns the mark of a picture by its file extension. */
export function pictureMark(file: string): Mark {
  return extname(file) === '.png' ? pngMark : svgMark
}

/**
 * Throws a usage error if a file exists that eigenae did not write. Writes nothing.
 * @param hint how to choose another path: "Name another folder with --out."
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
    throw usageError({ problem: 'already exists', subject: file, hint })
  }
}

/** Returns whether eigenae wrote the file; null if it does not exist. */
export function isOurs({ file, mark }: Output): boolean | null {
  const head = firstBytesOf(file)
  return head === undefined ? null : mark(head)
}

function isFolder(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false
  } catch (error) {
    throw fileError('look at', file, error)
  }
}

function firstBytesOf(file: string): Buffer | undefined {
  try {
    return readHead(file, headBytes)?.bytes
  } catch (error) {
    if (!hasCode((error as Error).cause, 'ENOTDIR')) throw error
    throw usageError({ problem: 'is below a file, not a folder', subject: file })
  }
}
