import { EigenaeError } from '../errors.js'
import { dataFileKeys, dataFiles } from './files.js'
import { readDataFile } from './load.js'

export interface VerifiedFile {
  readonly file: string
  readonly sha256: string
}

/** Checks the four files of a folder against MNIST's pinned sums. @throws an error that lists each that differs. */
export async function verifyMnist(folder: string): Promise<readonly VerifiedFile[]> {
  const files = await Promise.all(
    dataFileKeys.map(async (key) => {
      const { file, sha256 } = await readDataFile(folder, key)
      return { file, sha256, expected: dataFiles[key].sha256 }
    }),
  )
  const wrong = files.filter((each) => each.sha256 !== each.expected)
  if (wrong.length > 0) {
    throw new EigenaeError({
      what: 'these files are not the genuine MNIST',
      where: folder,
      details: wrong.map((each) => `${each.file}: SHA-256 is ${each.sha256}, MNIST's is ${each.expected}`),
      hint: 'Download them again with "eigenae data fetch", or check what put them there.',
    })
  }
  return files
}
