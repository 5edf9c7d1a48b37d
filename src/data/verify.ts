import { EigenaeError } from '../errors.js'
import { eigenaeCommand } from '../text/command-line.js'
import { type DataBytes, type DataFile, dataFileKeys, dataFiles } from './idx.js'
import { readDataFile } from './read.js'

/** Checks the four files of a folder against MNIST's SHA-256. @throws EigenaeError that lists each file that differs. */
export async function verifyMnist(folder: string): Promise<readonly DataBytes[]> {
  const files = await Promise.all(
    dataFileKeys.map((key) => readDataFile(folder, key, () => dataFiles[key].bytes)),
  )
  const wrong = dataFileKeys.flatMap((key, index) => differenceFromMnist(files[index]!, key) ?? [])
  if (wrong.length > 0) {
    throw new EigenaeError({
      problem: 'these files are not the genuine MNIST',
      subject: folder,
      details: wrong,
      hint: `Download them again with "${eigenaeCommand('data fetch')}", or check their origin.`,
    })
  }
  return files
}

/** Returns a line that describes how a file differs from MNIST's, null if it does not. */
export function differenceFromMnist({ file, size, sha256 }: DataBytes, key: DataFile): string | null {
  const mnist = dataFiles[key]
  if (size !== mnist.bytes)
    return `${file}: has ${size ?? `more than ${mnist.bytes}`} bytes, MNIST's has ${mnist.bytes}`
  return sha256 === mnist.sha256 ? null : `${file}: SHA-256 is ${sha256}, MNIST's is ${mnist.sha256}`
}
