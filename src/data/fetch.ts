import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { testImagesUrl, testLabelsUrl, trainingImagesUrl, trainingLabelsUrl } from 'mnist-dataset'
import { EigenaeError, usageError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { type NamedContent, writeInto } from '../files/write.js'
import { downloadUnzipped, withoutUser } from './download.js'
import { type DataFile, dataFileKeys, dataFiles } from './files.js'
import { readDataFileIfPresent } from './read.js'
import { differenceFromMnist } from './verify.js'

export interface FetchOptions {
  /** The http or https address of the folder that holds the four .gz files. */
  readonly mirror: string
  readonly folder: string
  /** The download fails if no data arrives for this many seconds. */
  readonly stallSeconds: number
  readonly onFile: (file: string) => void
  readonly signal: AbortSignal
}

/**
 * Downloads MNIST's four files. They are written only when all four have the pinned sums; on failure the existing files
 * stay untouched.
 * @throws a usage error, before anything is downloaded, if the folder holds data files of another data set.
 */
export async function fetchMnist(options: FetchOptions): Promise<void> {
  const { folder, mirror } = options
  requireHttp(mirror)
  await refuseOtherData(folder)
  await makeFolder(dirname(folder))
  const files: NamedContent[] = []
  for (const key of dataFileKeys) files.push(await download(key, options))
  await makeFolder(folder)
  await writeInto(folder, files)
}

/** The original addresses. Mirrors keep the file names. */
const originals: Readonly<Record<DataFile, string>> = {
  trainImages: trainingImagesUrl,
  trainLabels: trainingLabelsUrl,
  testImages: testImagesUrl,
  testLabels: testLabelsUrl,
}

async function download(key: DataFile, options: FetchOptions): Promise<NamedContent> {
  const file = dataFiles[key]
  const url = new URL(basename(originals[key]), options.mirror.replace(/\/*$/, '/')).href
  const bytes = await downloadUnzipped(url, { ...options, bytes: file.bytes })
  const found = createHash('sha256').update(bytes).digest('hex')
  if (found !== file.sha256) {
    throw new EigenaeError({
      problem: `this is not MNIST's file: SHA-256 is ${found}, expected ${file.sha256}`,
      subject: withoutUser(url),
      hint: 'Try another mirror with --mirror; "mnist" as data.source needs no download.',
    })
  }
  options.onFile(join(options.folder, file.name))
  return { file: file.name, content: bytes }
}

/** Gzipped files count too, because a downloaded plain file would take precedence over them. */
async function refuseOtherData(folder: string): Promise<void> {
  const others: string[] = []
  for (const key of dataFileKeys) {
    const found = await readDataFileIfPresent(folder, key, () => dataFiles[key].bytes)
    const difference = found === null ? null : differenceFromMnist(found, key)
    if (difference !== null) others.push(difference)
  }
  if (others.length === 0) return
  throw usageError({
    problem: 'holds data files that are not MNIST, which the download would replace',
    subject: folder,
    details: others,
    hint: 'Name another folder with --out, or move these files.',
  })
}

function requireHttp(mirror: string): void {
  if (!/^https?:\/\//.test(mirror) || !URL.canParse(mirror)) {
    throw usageError({
      problem: `expected an address that starts with http:// or https://, got "${mirror.replace(/\/\/[^/]*@/, '//')}"`,
      subject: '--mirror',
      hint: 'For example: --mirror https://ossci-datasets.s3.amazonaws.com/mnist',
    })
  }
}
